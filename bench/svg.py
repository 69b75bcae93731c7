"""Plots as SVG: bars and waterfalls. The same figures give the same bytes.

Colours come from one palette, whose names say what a thing is. Each has a value for light and one for dark
surroundings, which the reader's browser chooses.
"""

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

FOLDER = "PARCELGATE_BENCH_PICTURES"
"""The variable with the folder for pictures. Without it they go to `.local/bench/pictures`."""
WIDTH = 760
_ROW = 22
_LEFT = 250
_RIGHT = 70
_TOP = 44
_PALETTE = {
    "ground": ("#ffffff", "#0d1117"),
    "ink": ("#1f2328", "#f0f6fc"),
    "soft": ("#59636e", "#9198a1"),
    "grid": ("#d1d9e0", "#3d444d"),
    "ours": ("#0969da", "#4493f8"),
    "peer": ("#8c959f", "#656c76"),
    "carrier": ("#bc4c00", "#f0883e"),
    "aws": ("#8250df", "#ab7df8"),
    "goal": ("#cf222e", "#f85149"),
}
_FONT = "font-family='system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif' font-size='12'"


class Bar(NamedTuple):
    """One bar: what it is, how long, what stands behind it, and its colour in the palette."""

    label: str
    value: float
    note: str = ""
    colour: str = "ours"


class Span(NamedTuple):
    """One span of a waterfall, from `begin` to `end`; `inner` are parts of it in other colours."""

    label: str
    begin: float
    end: float
    colour: str = "ours"
    inner: Sequence[tuple[float, float, str]] = ()


def bars(title: str, rows: Sequence[Bar], *, goal: tuple[float, str] | None = None) -> str:
    """Horizontal bars from nought on. `goal` is drawn as a line, with its words."""
    most = max([bar.value for bar in rows] + ([goal[0]] if goal else [])) or 1.0
    scale = (WIDTH - _LEFT - _RIGHT) / most
    height = _TOP + _ROW * len(rows) + 12
    parts = []
    if goal is not None:
        x = _LEFT + goal[0] * scale
        parts.append(_line(x, _TOP - 6, x, height - 8, "goal"))
        parts.append(_text(x, _TOP - 10, goal[1], "goal", anchor="middle"))
    for place, bar in enumerate(rows):
        y = _TOP + _ROW * place
        parts.append(_text(_LEFT - 8, y + 13, bar.label, "ink", anchor="end"))
        parts.append(_rectangle(_LEFT, y + 2, bar.value * scale, _ROW - 7, bar.colour))
        parts.append(_text(_LEFT + bar.value * scale + 6, y + 13, bar.note, "soft"))
    return _whole(title, height, parts)


def waterfall(title: str, spans: Sequence[Span], *, unit: str, step: float, legend: dict[str, str]) -> str:
    """Spans one below the other over one axis, with a line at each `step`; `legend` names the colours."""
    last = max(span.end for span in spans)
    scale = (WIDTH - _LEFT - _RIGHT) / last
    height = _TOP + _ROW * len(spans) + 48
    bottom = _TOP + _ROW * len(spans) + 4
    parts = []
    for number in range(int(last / step) + 1):
        x = _LEFT + number * step * scale
        parts.append(_line(x, _TOP - 6, x, bottom, "grid"))
        parts.append(_text(x, bottom + 14, f"{number * step:g}", "soft", anchor="middle"))
    parts.append(_text(_LEFT + last * scale + 8, bottom + 14, unit, "soft"))
    for place, span in enumerate(spans):
        y = _TOP + _ROW * place
        wide = max(1.5, (span.end - span.begin) * scale)
        parts.append(_text(_LEFT - 8, y + 13, span.label, "ink", anchor="end"))
        parts.append(_rectangle(_LEFT + span.begin * scale, y + 2, wide, _ROW - 7, span.colour))
        for begin, end, colour in span.inner:
            thin = max(0.8, (end - begin) * scale)
            parts.append(_rectangle(_LEFT + begin * scale, y + 2, thin, _ROW - 7, colour))
        behind = _LEFT + span.begin * scale + wide + 6
        parts.append(_text(behind, y + 13, f"{span.end - span.begin:.0f}", "soft"))
    x = float(_LEFT)
    for colour, words in legend.items():
        parts.append(_rectangle(x, height - 21, 11, 11, colour))
        parts.append(_text(x + 16, height - 11, words, "soft"))
        x += 34 + 7 * len(words)
    return _whole(title, height, parts)


def course(title: str, values: Sequence[float], *, marks: Sequence[str], level: tuple[float, str]) -> str:
    """Values side by side as one line; `marks` stand below it at even distances, `level` is a line across."""
    left, wide, high = 60, WIDTH - 80, 200
    most = 1.1 * max(*values, level[0])
    step = wide / (len(values) - 1)
    points = " ".join(
        f"{left + place * step:.1f},{_TOP + high * (1 - value / most):.1f}"
        for place, value in enumerate(values)
    )
    y = _TOP + high * (1 - level[0] / most)
    parts = [
        _line(left, _TOP + high, left + wide, _TOP + high, "grid"),
        _text(left - 8, _TOP + high + 4, "0", "soft", anchor="end"),
        f"<polyline class='ours-line' points='{points}' fill='none' stroke='{_PALETTE['ours'][0]}' "
        "stroke-width='2'/>",
        _line(left, y, left + wide, y, "goal"),
        _text(left + wide, y - 6, level[1], "goal", anchor="end"),
        _text(left - 8, y + 4, f"{level[0]:,.0f}", "goal", anchor="end"),
    ]
    for place, mark in enumerate(marks):
        x = left + place * wide / (len(marks) - 1)
        parts.append(_text(x, _TOP + high + 18, mark, "soft", anchor="middle"))
    return _whole(title, _TOP + high + 30, parts)


def save(name: str, picture: str) -> None:
    """Keep a picture for the page, which has it when the part has ended well."""
    folder = Path(os.environ.get(FOLDER, ".local/bench/pictures"))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(picture, "utf-8")


def _whole(title: str, height: float, parts: Sequence[str]) -> str:
    fills = [f".{name}{{fill:{value}}}" for name, (_, value) in _PALETTE.items()]
    strokes = [f".{name}-line{{stroke:{_PALETTE[name][1]}}}" for name in ("goal", "grid", "ours")]
    dark = "".join((*fills, *strokes))
    lines = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height:g}' width='{WIDTH}' "
        f"height='{height:g}' role='img' {_FONT}>",
        f"<title>{escape(title)}</title>",
        f"<style>@media (prefers-color-scheme:dark){{{dark}}}</style>",
        _rectangle(0, 0, WIDTH, height, "ground"),
        _text(12, 20, title, "ink", weight="600"),
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _text(x: float, y: float, words: str, colour: str, *, anchor: str = "start", weight: str = "400") -> str:
    return (
        f"<text class='{colour}' x='{x:.1f}' y='{y:.1f}' fill='{_PALETTE[colour][0]}' "
        f"text-anchor='{anchor}' font-weight='{weight}'>{escape(words)}</text>"
    )


def _rectangle(x: float, y: float, wide: float, high: float, colour: str) -> str:
    return (
        f"<rect class='{colour}' x='{x:.1f}' y='{y:.1f}' width='{wide:.1f}' height='{high:.1f}' "
        f"fill='{_PALETTE[colour][0]}'/>"
    )


def _line(x: float, y: float, to_x: float, to_y: float, colour: str) -> str:
    return (
        f"<line class='{colour}-line' x1='{x:.1f}' y1='{y:.1f}' x2='{to_x:.1f}' y2='{to_y:.1f}' "
        f"stroke='{_PALETTE[colour][0]}'/>"
    )
