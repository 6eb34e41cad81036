"""The judge of contexts and lengths, on histories written by hand."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.events import AssociationAccepted, Event, LengthsMeasured
from simulator.scenario.checks import check
from simulator.scenario.findings import Finding
from simulator.scenario.history import History
from simulator.scenario.model import Case
from tests.scenario.test_checks import PLANNED

CONTEXTS = ("1.2.840.10008.1.2.1", "abstract-syntax-not-supported", "1.2.840.10008.1.2.4.90")


def judged(then: dict[str, Any], *events: Event) -> dict[str, Finding]:
    when = [{"associate": {"name": "ct", "maximum_length": 64}}]
    given = {"remotes": {"pacs": {"maximum_length": 64}}}
    found = check(
        Case.model_validate({"given": given, "when": when, "then": then}), History("story", (PLANNED, *events))
    )
    return {finding.check: finding for finding in found}


def accepted(*contexts: str, association: str = "ct") -> AssociationAccepted:
    return AssociationAccepted(
        observer="modality",
        calling_ae_title="M",
        called_ae_title="GW",
        peer="127.0.0.1:1",
        proposed=len(contexts),
        accepted=sum(each[0].isdigit() for each in contexts),
        contexts=contexts,
        association=association,
    )


def measured(longest: int, announced: int = 64, observer: str = "modality", name: str = "ct") -> LengthsMeasured:
    return LengthsMeasured(observer=observer, announced=announced, longest=longest, association=name)


EXPECTED = ["ExplicitVRLittleEndian", "abstract-syntax-not-supported", "JPEG2000Lossless"]
ANSWERS = {"wire": {"associations": {"ct": {"contexts": EXPECTED, "accepted": 2}}}}


def test_contexts_are_compared_in_the_order_proposed() -> None:
    findings = judged(ANSWERS, accepted("1.2.840.10008.1.2", association="another"), accepted(*CONTEXTS))
    assert {finding.verdict for finding in findings.values()} == {"pass"}
    because = "2 of 3 presentation contexts were accepted; not accepted: 2: abstract-syntax-not-supported"
    assert findings["wire.associations.ct.contexts"].because == because
    findings = judged(ANSWERS, accepted(*reversed(CONTEXTS)))
    assert findings["wire.associations.ct.contexts"].observed == list(reversed(EXPECTED))
    assert findings["wire.associations.ct.accepted"].verdict == "pass"


def test_contexts_of_an_association_that_was_never_accepted() -> None:
    findings = judged(ANSWERS, accepted(*CONTEXTS, association="another"))
    assert {(finding.verdict, finding.observed) for finding in findings.values()} == {("fail", None)}


@pytest.mark.parametrize(
    ("events", "verdict", "observed", "because"),
    [
        ([measured(64)], "pass", "within", "the longest P-DATA-TF that came had 64 bytes; 64 had been announced"),
        ([measured(65), measured(8)], "fail", "beyond", "the longest P-DATA-TF that came had 65 bytes; 64 had been"),
        ([measured(65), measured(900, 0)], "fail", "beyond", "the longest P-DATA-TF that came had 65 bytes"),
        ([measured(70000, 0)], "pass", "within", "the longest P-DATA-TF that came had 70000 bytes; no limit"),
        ([measured(0)], "fail", None, "no P-DATA-TF came"),
        ([measured(64, name="other", observer="other")], "fail", None, "no P-DATA-TF came"),
    ],
)
def test_the_longest_of_all_is_judged(
    events: list[LengthsMeasured], verdict: str, observed: str | None, because: str
) -> None:
    modality = judged({"wire": {"associations": {"ct": {"longest_pdu": "within"}}}}, *events)
    there = [measured(e.longest, e.announced, e.observer.replace("modality", "pacs"), "") for e in events]
    remote = judged({"downstream": {"remotes": {"pacs": {"longest_pdu": "within"}}}}, *there)
    for finding in (modality["wire.associations.ct.longest_pdu"], remote["downstream.remotes.pacs.longest_pdu"]):
        assert (finding.verdict, finding.observed) == (verdict, observed)
        assert finding.because.startswith(because)
