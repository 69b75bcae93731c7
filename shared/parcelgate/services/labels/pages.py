"""A page of a label, made ready to be drawn anywhere: what it is, how large, and which way is up.

Turns, boxes and units of the source are settled here, in one matrix, and nowhere else: whoever draws a page
knows its width and height and that it stands upright with its lower left corner at the origin.
"""

from typing import NamedTuple


class UnreadableLabelError(Exception):
    """A label cannot be printed: it is damaged, encrypted, or of a kind that nobody can draw."""


class OutOfTimeError(Exception):
    """The time is over before all pages are made."""


class Matrix(NamedTuple):
    """A transformation as PDF writes it (ISO 32000-1, 8.3.3): x' = ax + cy + e, y' = bx + dy + f."""

    a: float
    b: float
    c: float
    d: float
    e: float
    f: float

    def then(self, after: "Matrix") -> "Matrix":
        """First this one, then `after`."""
        return Matrix(
            self.a * after.a + self.b * after.c,
            self.a * after.b + self.b * after.d,
            self.c * after.a + self.d * after.c,
            self.c * after.b + self.d * after.d,
            self.e * after.a + self.f * after.c + after.e,
            self.e * after.b + self.f * after.d + after.f,
        )


def scaled(by: float) -> Matrix:
    """Larger or smaller, from the origin."""
    return Matrix(by, 0, 0, by, 0, 0)


def moved(right: float, up: float) -> Matrix:
    """Elsewhere."""
    return Matrix(1, 0, 0, 1, right, up)


class Page(NamedTuple):
    """An XObject of the file that is being written, and how it is drawn.

    `upright` leads from the XObject's own space to a page of `width` times `height` points that begins at
    the origin.
    """

    xobject: int
    upright: Matrix
    width: float
    height: float
