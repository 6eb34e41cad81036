"""Scripts of peers in a story send its own instances, by the names that it gives its studies."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.events import InstanceStored
from simulator.scenario import load
from simulator.scenario.run import CaseOutcome
from tests import running

STORY = """\
scenario: scripted
title: A peer with a script sends an instance of the story
explain: Look at the script.
verifies: [SCP-1]
given:
  orders: {order: {}}
  studies: {study: {order: order, series: [{sop_class: CTImageStorage, instances: 2, rows: 16, columns: 16}]}}
  peers:
    peer:
      script:
        - send:
            pdu: A-ASSOCIATE-RQ
            contexts:
              - context_id: 1
                abstract_syntax_uid: 1.2.840.10008.5.1.4.1.1.2
                transfer_syntax_uids: [1.2.840.10008.1.2.1]
        - recv: A-ASSOCIATE-AC
        - send: {message: C-STORE-RQ, context_id: 1, instance: 'study#2'}
        - recv: C-STORE-RSP
          expect: {status: "0000"}
        - send: {pdu: A-RELEASE-RQ}
        - recv: A-RELEASE-RP
when:
  - play: peer
then:
  wire: {peers: {peer: {script: complete}}}
"""


def outcome(folder: Path, text: str) -> CaseOutcome:
    file = folder / "scripted.yaml"
    file.write_text(text, encoding="utf-8")
    scenario = load.load(file)
    return running.run(scenario, scenario.cases[0], folder / "cases", patience=10.0)


def test_an_instance_of_a_study_goes_out_as_the_script_says(tmp_path: Path) -> None:
    played = outcome(tmp_path, STORY)
    assert played.verdict == "pass", running.failures(played)
    [stored] = played.history.of(InstanceStored)
    assert stored.sop_class_uid == "1.2.840.10008.5.1.4.1.1.2"


@pytest.mark.parametrize("name", ["study#3", "other#1"])
def test_one_that_the_story_does_not_have_is_an_error_of_the_story(name: str, tmp_path: Path) -> None:
    played = outcome(tmp_path, STORY.replace("study#2", name))
    assert played.verdict == "error"
    [finding] = played.findings
    assert f"a script sends the instance '{name}', and the story has none of that name" in finding.because
