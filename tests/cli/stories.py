"""A user's own scenario, right and with mistakes in it."""

from __future__ import annotations

from pathlib import Path

STORY = """\
scenario: mine
title: A story of my own
explain: For a person.
tags: [own]
verifies: [COM-1]
given:
  site:
    gateway: {quiet_period: 0.3}
  orders:
    order: {}
  studies:
    study: {series: [{instances: 2}]}
mutate:
  study: [another-sex]
when:
  - send_order: order
  - store: study
then:
  gateway:
    studies:
      study: {state: unmatched, instances: 2}
"""


def write(folder: Path, *changes: tuple[str, str], name: str = "mine") -> Path:
    """Write the story as scenario `name` below `folder`, each change made once; return the file."""
    text = STORY
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the story"
        text = text.replace(old, new)
    file = folder / "scenarios" / f"{name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text.replace("scenario: mine\n", f"scenario: {name}\n"), encoding="utf-8")
    return file
