"""Writes what came of a load: `load.json`, and `report.html`, one page that needs nothing else."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from jinja2 import Template

from simulator.load import plot
from simulator.load.result import LoadResult
from simulator.load.screen import held
from simulator.report.html import environment


def write(folder: Path, result: LoadResult) -> None:
    """Write both files into `folder`. Raises `OSError` when it cannot be written."""
    document = json.dumps(result.model_dump(mode="json"), indent=2, ensure_ascii=False)
    (folder / "load.json").write_text(document + "\n", encoding="utf-8")
    (folder / "report.html").write_text(render(result), encoding="utf-8")


def render(result: LoadResult) -> str:
    """Return the page."""
    return _template().render(result=result, held=held(result), plots=plot.plots(result))


@cache
def _template() -> Template:
    return environment("simulator.load").get_template("load.html.j2")
