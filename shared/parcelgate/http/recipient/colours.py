"""A merchant's colour, so that everybody can read what is written on it or in it (WCAG 2.2)."""

ENOUGH = 4.5
"""The least contrast of text (WCAG 1.4.3)."""
_STEPS = 20


def contrast(one: str, other: str) -> float:
    """The contrast of two colours such as `#1a7f5a`: 1 to 21.

    >>> contrast("#000000", "#ffffff")
    21.0
    """
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def ink(colour: str) -> str:
    """Black or white, whichever can be read better on `colour`: always with enough contrast."""
    return max(("#000000", "#ffffff"), key=lambda text: contrast(text, colour))


def readable(colour: str, paper: str) -> str:
    """`colour`, as much darker or lighter as it takes to be read on `paper`."""
    end = ink(paper)
    mixtures = (_mixed(colour, end, step / _STEPS) for step in range(_STEPS + 1))
    return next(mixture for mixture in mixtures if contrast(mixture, paper) >= ENOUGH)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(part / 255) for part in _parts(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _parts(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue


def _mixed(colour: str, end: str, share: float) -> str:
    parts = zip(_parts(colour), _parts(end), strict=True)
    return "#" + "".join(f"{round(one + (other - one) * share):02x}" for one, other in parts)
