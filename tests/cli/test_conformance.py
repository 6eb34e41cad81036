"""`simulate conformance`: where it writes, and what it does not guess."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.processes import simulate


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--out", "c.pdf"), "c.pdf: how it ends names no format"),
        (("--out", "c"), "--format md or --format html"),
        (("--out", "no/c.md"), "no/c.md cannot be written: there is no folder no\n  hint: make it first"),
    ],
)
def test_what_cannot_be_written_is_2_and_nothing_is_made(
    options: tuple[str, ...], problem: str, tmp_path: Path
) -> None:
    done = simulate("conformance", *options, folder=tmp_path)
    assert done.returncode == 2
    assert problem in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "start"),
    [
        (("--out", "c.markdown"), "# "),
        (("--out", "c.HTM"), "<!DOCTYPE html>"),
        (("--out", "c.txt", "--format", "md"), "# "),
    ],
)
def test_a_statement_is_of_the_format_that_is_asked_for(options: tuple[str, ...], start: str, tmp_path: Path) -> None:
    assert simulate("conformance", *options, folder=tmp_path).returncode == 0
    assert (tmp_path / options[1]).read_text(encoding="utf-8").startswith(start)
