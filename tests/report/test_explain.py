"""Every id that a run or a gateway can say has words for a person."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import get_args

import pytest

import simulator
from simulator.errors import UsageError
from simulator.report import explain
from simulator.report.model import EXIT_CODES
from simulator.rules import matching
from simulator.scenario import load, requirements
from simulator.scenario.findings import VERDICTS
from simulator.scenario.model_expectations import Answer
from simulator.scenario.model_words import State
from simulator.wire import incidents, statuses
from tests.processes import ROOT

KNOWN = {each.id for each in explain.everything()}
PACKAGE = Path(simulator.__file__).parent
# How the ids of problems and reasons are spelled in the gateway and the wire: a subject, a dot, what of it.
SPELLED = re.compile(
    r"(pdu|pdv|dimse|time-out|mllp|connections|peer|tls|accession|order|hkid|name|birth-date|sex|study|image-count|"
    r"operator|forwarded|forwarding)\.[a-z-]+(\.[a-z-]+)?"
)


def said_in(*rooms: str) -> set[str]:
    """Return every text in the code of these rooms that is spelled as an id is."""
    found = set()
    for room in rooms:
        # What an order near to a study has in common with it (`nearest`) `simulate reconcile` says in words.
        for file in {*(PACKAGE / room).glob("*.py")} - {PACKAGE / "rules" / "nearest.py"}:
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and SPELLED.fullmatch(node.value):
                    found.add(node.value)
    return found


def test_every_reason_and_problem_that_the_gateway_can_say_is_explained() -> None:
    said = said_in("gateway", "wire", "rules") - {
        "accession.malformed",
        "accession.exact",
    }  # what stands before a part, and a mark of `nearest`
    assert len(said) > 60
    assert sorted(said - KNOWN) == []


def test_the_problems_that_the_architecture_lists_are_explained() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    listed = page.partition("with one of these ids:")[2].partition("\n\n")[0]
    ids = re.findall(r"`([a-z-]+\.[a-z-]+)`", listed)
    assert len(ids) > 25
    assert [each for each in ids if each not in KNOWN] == []


def test_states_verdicts_exit_codes_answers_and_rejections_are_explained() -> None:
    ids = {*get_args(State), *VERDICTS, *(f"exit-{code}" for code in (2, *EXIT_CODES.values()))}
    ids |= {*incidents.GROUNDS, *matching.REASONS} | (set(get_args(Answer)) - {"done"})
    assert sorted(ids - KNOWN) == []


def test_statuses_are_explained_as_the_wire_words_them() -> None:
    explained = {each.id: each.means for each in explain.everything() if each.kind == "status of C-STORE"}
    for status in (0x0000, 0xA700, 0xA900, 0x0117, 0x0122, 0x0124, 0x0210, 0x0211, 0x0212, 0xB000, 0xB006, 0xB007):
        assert statuses.words(status).lower() in explained[f"{status:04X}"].lower(), status
    assert all("PS3.4 table B.2-1" in told or "PS3.7 9.1.1.1.9" in told for told in explained.values())


def test_rejections_aborts_and_failure_reasons_are_explained_as_the_wire_words_them() -> None:
    explained = {each.id: each.means for each in explain.everything()}
    for (source, reason), words in incidents.REJECT_REASONS.items():
        assert f"{incidents.REJECT_SOURCES[source]}: {words} (" in explained[f"reject-{source}-{reason}"]
    for reason, words in incidents.ABORT_REASONS.items():
        assert f"service-provider: {words} (" in explained[f"abort-2-{reason}"]
    for code in (0x0110, 0x0112, 0x0119, 0x0122, 0x0131, 0x0213):
        assert statuses.told_failure_reason(code).partition("(")[2][:-1] in explained[f"failure-{code:04X}"]
    for code in (0x0000, 0x0110, 0x0112, 0x0113, 0x0115, 0x0118, 0x0123, 0x0213):
        assert statuses.told_of_normalised(code).partition("(")[2][:-1] in explained[f"action-{code:04X}"]


def test_requirements_scenarios_and_cases_are_explained() -> None:
    assert set(requirements.register()) <= KNOWN
    assert {"unmatched", "unmatched[sex]"} <= KNOWN
    assert {scenario.name for scenario in load.everything()} <= KNOWN
    kinds = [each.kind for each in explain.explanations("unmatched")]
    assert kinds == ["state of a study", "scenario"]


def test_what_is_unknown_has_near_misses() -> None:
    with pytest.raises(UsageError, match=r"nothing is called 'hkid\.mismatc'") as caught:
        explain.explanations("hkid.mismatc")
    assert caught.value.hint == "did you mean 'hkid.mismatch'?"
