"""The application data flow of PS3.2: local activities, the Application Entity, the DICOM interface, remote activities.

One list of flows is drawn twice, as SVG and in letters of one width, so that the two cannot disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from textwrap import wrap
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Flow:
    """A local activity and the remote one that it goes with. direction: who requests the association."""

    local: str
    service: str
    remote: str
    direction: Literal["out", "in"]


_LETTERS: Final = 26  # of text in a box
_ROW: Final = 84  # height of a flow in the drawing, in pixels
_TOP: Final = 56
_WIDTH: Final = 920
_BOX: Final = (230, 60)  # width and height
_LEFT, _ENTITY, _INTERFACE, _RIGHT = 10, 300, 545, 680  # where the columns begin
_ENTITY_WIDTH: Final = 130
# Between the entity and the remote activity, in letters; the interface is the colon.
_CHANNEL: Final = " " * 17 + ":" + " " * 13
_ARROWS: Final = {"out": f" {'-' * 16}:{'-' * 11}> ", "in": f" <{'-' * 15}:{'-' * 12} "}


def svg(entity: str, flows: Sequence[Flow]) -> str:
    """Return the drawing as an SVG element that needs nothing from outside."""
    height = _TOP + _ROW * len(flows) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        'font-family="system-ui, -apple-system, Segoe UI, Roboto, Noto Sans, Helvetica Neue, Arial, sans-serif" '
        'font-size="13" fill="#1b1f24">',
        f"<title>Application data flow of {escape(entity)}</title>",
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" '
        'orient="auto-start-reverse"><path d="M0 0 10 5 0 10z" fill="#57606a"/></marker></defs>',
        *_heads(),
        *_entity(entity, height),
        f'<path d="M{_INTERFACE} {_TOP - 6}V{height - 4}" stroke="#8c959f" stroke-width="1.5" stroke-dasharray="6 5"/>',
    ]
    for place, flow in enumerate(flows):
        parts += _drawn(flow, _TOP + _ROW * place)
    return "\n".join([*parts, "</svg>"])


def _heads() -> list[str]:
    middle = _BOX[0] // 2
    named = (
        (_LEFT + middle, "Local real-world activity"),
        (_ENTITY + _ENTITY_WIDTH // 2, "Application Entity"),
        (_INTERFACE, "DICOM interface"),
        (_RIGHT + middle, "Remote real-world activity"),
    )
    return [f'<text x="{x}" y="22" text-anchor="middle" fill="#57606a">{name}</text>' for x, name in named]


def _entity(name: str, height: int) -> list[str]:
    x, y = _ENTITY + _ENTITY_WIDTH // 2, (height + _TOP) // 2
    return [
        f'<rect x="{_ENTITY}" y="{_TOP}" width="{_ENTITY_WIDTH}" height="{height - _TOP - 12}" rx="48" '
        'fill="#e6f5ef" stroke="#00593f" stroke-width="1.5"/>',
        f'<text x="{x}" y="{y}" text-anchor="middle" font-weight="650">{escape(name)}</text>',
    ]


def _drawn(flow: Flow, top: int) -> list[str]:
    width, height = _BOX
    middle = top + height // 2
    inner = (_LEFT + width, _ENTITY)
    outer = (_ENTITY + _ENTITY_WIDTH, _RIGHT)
    parts = []
    for (start, end), label in ((inner, ""), (outer, flow.service)):
        marker = "marker-end" if flow.direction == "out" else "marker-start"
        line = f'<path d="M{start + 3} {middle}H{end - 3}" stroke="#57606a" stroke-width="1.5" {marker}="url(#tip)"/>'
        parts.append(line)
        if label:
            parts.append(
                f'<text x="{start + 10}" y="{middle - 9}" font-size="12" fill="#57606a">{escape(label)}</text>'
            )
    for left, text, rounded in ((_LEFT, flow.local, 4), (_RIGHT, flow.remote, height // 2)):
        parts.append(
            f'<rect x="{left}" y="{top}" width="{width}" height="{height}" rx="{rounded}" fill="#f6f8fa" '
            'stroke="#8c959f"/>'
        )
        lines = wrap(text, _LETTERS + 2)
        first = middle + 4.5 - 9 * (len(lines) - 1)
        parts += [
            f'<text x="{left + width // 2}" y="{first + 18 * row:g}" text-anchor="middle">{escape(line)}</text>'
            for row, line in enumerate(lines)
        ]
    return parts


def text(entity: str, flows: Sequence[Flow]) -> str:
    """Return the drawing as lines of letters, for where a drawing cannot be shown."""
    indent = " " * (_LETTERS + 9)
    wall = f"{indent}+{'-' * 13}+"
    heads = ("Local real-world activity", "Application", "DICOM interface", "Remote real-world activity")
    lines = [
        f"{heads[0].center(_LETTERS + 4)}     {heads[1].center(15)}{heads[2].center(35)}{heads[3].center(_LETTERS)}",
        f"{indent}{'Entity'.center(15)}{_CHANNEL}",
        f"{wall}{_CHANNEL}",
    ]
    for place, flow in enumerate(flows):
        lines += _lettered(flow, entity if place == (len(flows) - 1) // 2 else "")
    return "\n".join(line.rstrip() for line in (*lines, wall))


def _lettered(flow: Flow, name: str) -> list[str]:
    left, right = wrap(flow.local, _LETTERS), wrap(flow.remote, _LETTERS)
    rows = max(len(left), len(right), 3)
    edge = f"+{'-' * (_LETTERS + 2)}+"
    gap, wall = " " * 5, f"|{' ' * 13}|"
    lines = [f"{edge}{gap}{wall}{_CHANNEL}{edge}"]
    for row, (one, other) in enumerate(zip(_centred(left, rows), _centred(right, rows), strict=True)):
        inner, outer, inside = gap, _CHANNEL, wall
        if row == rows // 2:
            inner = " --> " if flow.direction == "out" else " <-- "
            outer = _ARROWS[flow.direction]
            inside = f"|{name.center(13)}|"
        elif row == rows // 2 - 1:
            outer = f" {flow.service}".ljust(17) + _CHANNEL[17:]
        lines.append(f"| {one.ljust(_LETTERS)} |{inner}{inside}{outer}| {other.ljust(_LETTERS)} |")
    return [*lines, f"{edge}{gap}{wall}{_CHANNEL}{edge}"]


def _centred(lines: list[str], rows: int) -> list[str]:
    above = (rows - len(lines)) // 2
    return [""] * above + lines + [""] * (rows - len(lines) - above)
