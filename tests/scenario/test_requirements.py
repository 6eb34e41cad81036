"""The register of requirements and the catalogue say the same of each other, and nothing is left out unexplained."""

from __future__ import annotations

import csv
import re
from collections import Counter

from simulator.scenario import load, requirements
from tests.processes import ROOT

REGISTER = requirements.register()
PAGE = (ROOT / "docs" / "requirements.md").read_text(encoding="utf-8")


def verifying() -> dict[str, tuple[str, ...]]:
    """Return the names of the scenarios that verify each requirement, in the order of the alphabet."""
    found: dict[str, list[str]] = {identifier: [] for identifier in REGISTER}
    for scenario in load.everything():
        for identifier in scenario.verifies:
            found[identifier].append(scenario.name)
    return {identifier: tuple(sorted(names)) for identifier, names in found.items()}


def test_tested_by_names_the_scenarios_that_verify_a_requirement_and_no_other() -> None:
    """Each line of a failure is an id and the text that belongs into its column `tested_by`."""
    right = {
        identifier: " ".join(names)
        for identifier, names in verifying().items()
        if names != REGISTER[identifier].tested_by
    }
    assert right == {}, "\n".join(f"{identifier}: {text}" for identifier, text in right.items())


def test_every_requirement_is_verified_or_says_why_not_and_never_both() -> None:
    both = [row.id for row in REGISTER.values() if row.tested_by and row.why_not_tested]
    neither = [row.id for row in REGISTER.values() if not row.tested_by and not row.why_not_tested]
    assert (both, neither) == ([], [])


def test_what_a_reason_refers_to_is_there() -> None:
    """A row that no scenario verifies may say which test of the suite does instead."""
    named = {path for row in REGISTER.values() for path in re.findall(r"tests/[\w/.]*\w", row.why_not_tested)}
    assert len(named) >= 4
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_a_row_says_what_where_from_and_how_binding_and_stands_once() -> None:
    with (ROOT / "fixtures" / requirements.FILE_NAME).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [name for name, times in Counter(row["id"] for row in rows).items() if times > 1] == []
    assert [text for text, times in Counter(row["text"] for row in rows).items() if times > 1] == []
    for row in rows:
        assert re.fullmatch(r"[A-Z][A-Z0-9]+-[1-9][0-9]*", row["id"]), row
        assert row["level"] in ("must", "recommended", "future"), row
        assert row["text"][0].isupper() or row["text"][0].isdigit(), row
        assert not row["text"].endswith("."), row
        assert row["source"], row


def test_the_ids_of_a_family_stand_together_and_are_counted_without_a_gap() -> None:
    families: dict[str, list[int]] = {}
    for identifier in REGISTER:
        family, number = identifier.rsplit("-", 1)
        families.setdefault(family, []).append(int(number))
    assert {name: numbers for name, numbers in families.items() if numbers != [*range(1, len(numbers) + 1)]} == {}
    order = [identifier.rsplit("-", 1)[0] for identifier in REGISTER]
    assert order == sorted(order, key=list(families).index)


def test_the_page_has_every_family_and_no_id_that_is_none() -> None:
    families = list(dict.fromkeys(identifier.rsplit("-", 1)[0] for identifier in REGISTER))
    assert re.findall(r"^\| `([A-Z0-9]+)` \|", PAGE, re.MULTILINE) == families
    assert set(re.findall(rf"\b(?:{'|'.join(families)})-[0-9]+", PAGE)) <= set(REGISTER)


def test_every_requirement_of_a_slide_is_on_the_page_where_its_slide_is() -> None:
    slides = PAGE.split("## Slide by slide")[1]
    named = set(re.findall(r"[A-Z0-9]+-[0-9]+", slides))
    for family, first, last in re.findall(r"\b([A-Z0-9]+)-([0-9]+) to \1-([0-9]+)", slides):
        named |= {f"{family}-{number}" for number in range(int(first), int(last) + 1)}
    assert [row.id for row in REGISTER.values() if row.source.startswith("slide") and row.id not in named] == []
