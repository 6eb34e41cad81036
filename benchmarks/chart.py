"""Figures as Markdown tables and as one SVG of bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Protocol

_WIDTH, _ROW, _LABEL = 900, 18, 290


class Figure(Protocol):
    """What is shown of a comparison; the first peer is ours."""

    name: str
    unit: str
    skipped: dict[str, str]

    def medians(self) -> dict[str, float]:
        """Return the median of each peer."""

    def ratios(self) -> dict[str, dict[str, float]]:
        """Return ours against others."""


def table(figures: Sequence[Figure]) -> str:
    """Return one table a figure."""
    return "\n".join(_table(figure) for figure in figures)


def _table(figure: Figure) -> str:
    ratios = next(iter(figure.ratios().values()), {})
    lines = [f"**{figure.name}**", "", f"| | {figure.unit} | ours against it |", "|---|---|---|"]
    for peer, value in figure.medians().items():
        against = f"{ratios[peer]:.2f}" if peer in ratios else ""
        lines.append(f"| {peer} | {_number(value)} | {against} |")
    lines += [f"| {peer} | skipped: {why} | |" for peer, why in figure.skipped.items()]
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    """Return three digits, or all before the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def document(machine: Mapping[str, str], figures: Sequence[Figure], passed_over: Mapping[str, str]) -> str:
    """Return the page of a run; `passed_over` has why by part."""
    described = "; ".join(f"{name} {value}" for name, value in machine.items())
    missing = "".join(f"\n{part}: passed over, since {why}.\n" for part, why in passed_over.items())
    return f"# Side by side\n\n{described}.\n\n{table(figures)}{missing}"


def plot(figures: Sequence[Figure]) -> str:
    """Return an SVG with a bar for each peer of each figure, the longest of each as wide as the page."""
    parts: list[str] = []
    y = 10
    for figure in figures:
        medians = figure.medians()
        parts.append(f'<text x="10" y="{y + 12}" font-weight="bold">{escape(figure.name)} ({figure.unit})</text>')
        y += _ROW + 2
        longest = max(medians.values(), default=1.0)
        for number, (peer, value) in enumerate(medians.items()):
            width = max(1.0, value / longest * (_WIDTH - _LABEL - 90))
            colour = "#1b6ca8" if number == 0 else "#9aa5b1"
            parts.append(
                f'<text x="{_LABEL - 8}" y="{y + 12}" text-anchor="end">{escape(peer)}</text>'
                f'<rect x="{_LABEL}" y="{y + 2}" width="{width:.1f}" height="{_ROW - 5}" fill="{colour}"/>'
                f'<text x="{_LABEL + width + 6:.1f}" y="{y + 12}">{_number(value)}</text>'
            )
            y += _ROW
        y += 12
    style = 'font-family="sans-serif" font-size="11"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y}" viewBox="0 0 {_WIDTH} {y}" {style}>'
    return head + '<rect width="100%" height="100%" fill="white"/>' + "".join(parts) + "</svg>\n"
