"""Mistakes of a scenario file about what is proposed, how long PDUs may be, and how a remote SCP rejects."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.scenario import load, proposals
from simulator.scenario.model_steps import AssociateSpec
from tests.scenario.test_load import problems

GOOD = """\
scenario: story
title: A story
explain: What it means.
verifies: [MAT-1]
given:
  orders: {order: {}}
  studies: {study: {order: order}}
  remotes: {far: {takes: [CT Image], maximum_length: 64, rejects: {result: 2, source: 3, reason: 1, times: 1}}}
when:
  - associate: {name: ct, propose: [{sop_class: CTImageStorage, transfer_syntaxes: [RLELossless]}], maximum_length: 0}
  - store: {study: study, name: sent, offers: [ImplicitVRLittleEndian]}
then:
  wire: {associations: {ct: {contexts: [RLELossless], longest_pdu: within}, sent: {accepted: 1}}}
  downstream: {remotes: {far: {longest_pdu: within}}}
"""


def test_a_good_story_loads(tmp_path: Path) -> None:
    file = tmp_path / "story.yaml"
    file.write_text(GOOD, encoding="utf-8")
    assert len(load.load(file).cases) == 1


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "{sop_class: CTImageStorage",
            "{sop_class: CTImageStorag",
            "10:38: no SOP class 'CTImageStorag' (did you mean",
        ),
        ("[RLELossless]}]", "[RLELosless]}]", "10:85: no transfer syntax 'RLELosless' (did you mean 'RLELossless'?)"),
        ("takes: [CT Image]", "takes: [CT Imag]", "8:27: no SOP class 'CT Imag'"),
        ("maximum_length: 64, ", "", "14:32: remote 'far' announces no maximum length"),
        (", maximum_length: 0}", "}", "13:55: the modality of 'ct' announces no maximum length"),
        ("sent: {accepted: 1}", "snt: {accepted: 1}", "13:77: no step associates as 'snt' (did you mean 'sent'?)"),
        (
            "maximum_length: 0}",
            "maximum_length: 0, contexts: 129}",
            "10:120: when.0.associate.contexts: input should be",
        ),
        (
            "propose: [{sop_class: CTImageStorage, transfer_syntaxes: [RLELossless]}]",
            "contexts: 2",
            "10:27: contexts are",
        ),
        (
            "contexts: [RLELossless]",
            "contexts: [no-raeson]",
            "13:41: then.wire.associations.ct.contexts.0: input should be",
        ),
        (
            "rejects: {result: 2,",
            "rejects: {result: 256,",
            "8:68: given.remotes.far.rejects.result: input should be 1 or 2",
        ),
        (
            "offers: [ImplicitVRLittleEndian]",
            "offers: [RLELossless]",
            "11:48: when.1.store.offers.0: input should be",
        ),
        ("takes: [CT Image]", "context_result: 3", "8:19: given.remotes.far.context_result: input should be 1 or 2"),
        ("takes: [CT Image]", "answers_wrongly: status", "8:19: given.remotes.far.answers_wrongly: input should be"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in GOOD
    found = problems(tmp_path, GOOD.replace(old, new, 1))
    assert any(problem.startswith(f"story.yaml:{expected}") for problem in found), found


def test_more_is_proposed_than_there_is_room_for(tmp_path: Path) -> None:
    proposed = "[{sop_class: CTImageStorage}, {sop_class: MRImageStorage}]"
    text = GOOD.replace("[{sop_class: CTImageStorage, transfer_syntaxes: [RLELossless]}]", proposed)
    [problem] = problems(tmp_path, text.replace("name: ct,", "name: ct, contexts: 1,"))
    assert problem == "story.yaml:10:27: 2 contexts are proposed and do not fit into 1"


def test_an_echo_is_expected_of_an_association_that_has_no_context_for_it(tmp_path: Path) -> None:
    expecting = GOOD.replace("wire: {", 'wire: {echo: {status: "0000"}, ')
    assert problems(tmp_path, expecting) == ["story.yaml:13:10: no step asks for an echo, so no answer can be seen"]


def test_contexts_are_those_of_the_proposals_over_and_over() -> None:
    classes = [{"sop_class": "Verification"}, {"sop_class": "1.2.3", "transfer_syntaxes": ["MPEG2MPML", "RLELossless"]}]
    asked = AssociateSpec.model_validate({"name": "ct", "propose": classes, "contexts": 5})
    found = proposals.contexts(asked)
    assert [each.abstract_syntax_uid for each in found] == ["1.2.840.10008.1.1", "1.2.3"] * 2 + ["1.2.840.10008.1.1"]
    assert found[1].transfer_syntax_uids == ("1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.5")
    assert proposals.verification_in(asked)
