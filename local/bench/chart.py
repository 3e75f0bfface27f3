"""A small bar chart as SVG, on a ground of its own: readable on light and dark pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, BAR_LEFT, BAR_RIGHT = 860, 290, 700
ROW_HEIGHT, TOP = 34, 62


@dataclass(frozen=True)
class Bar:
    """One bar.

    Args:
        label: what it stands for.
        value: its length, in the chart's unit.
        text: written behind it.
        own: drawn in the accent colour.
    """

    label: str
    value: float
    text: str
    own: bool = False


def draw(title: str, subtitle: str, bars: Sequence[Bar]) -> str:
    """Return horizontal bars from zero, to one linear scale."""
    scale = (BAR_RIGHT - BAR_LEFT) / max(bar.value for bar in bars)
    height = TOP + ROW_HEIGHT * len(bars) + 14
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"',
        f'  role="img" aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="14">',
        f"  <title>{escape(title)}</title>",
        f'  <rect width="{WIDTH}" height="{height}" rx="6" fill="#ffffff"/>',
        f'  <text x="20" y="27" font-size="16" font-weight="600" fill="#1f2328">{escape(title)}</text>',
        f'  <text x="20" y="47" font-size="12" fill="#59636e">{escape(subtitle)}</text>',
        *(line for index, bar in enumerate(bars) for line in _bar(bar, TOP + ROW_HEIGHT * index, scale)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _bar(bar: Bar, top: int, scale: float) -> list[str]:
    width = max(2.0, bar.value * scale)
    middle = top + 19
    colour, weight = ("#0969da", "600") if bar.own else ("#afb8c1", "400")
    label = f'x="{BAR_LEFT - 12}" y="{middle}" text-anchor="end" font-weight="{weight}" fill="#1f2328"'
    return [
        f"  <text {label}>{escape(bar.label)}</text>",
        f'  <rect x="{BAR_LEFT}" y="{top + 3}" width="{width:.1f}" height="22" rx="3" fill="{colour}"/>',
        f'  <text x="{BAR_LEFT + width + 8:.1f}" y="{middle}" fill="#1f2328">{escape(bar.text)}</text>',
    ]
