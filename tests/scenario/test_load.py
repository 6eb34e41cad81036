"""A scenario file that does not load says why, where, and what was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.errors import LoadError, UsageError
from simulator.scenario import load, requirements

GOOD = """\
scenario: story
title: A story
explain: What it means.
verifies: [MAT-1]
given:
  orders: {order: {}}
  studies: {study: {order: order}}
when:
  - send_order: order
  - store: study
then:
  gateway:
    studies:
      study: {state: forwarded}
"""


def problems(tmp_path: Path, text: str, name: str = "story") -> list[str]:
    file = tmp_path / f"{name}.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(LoadError) as caught:
        load.load(file)
    return [str(problem).removeprefix(f"{tmp_path}/") for problem in caught.value.problems]


def test_a_good_story_loads(tmp_path: Path) -> None:
    file = tmp_path / "story.yaml"
    file.write_text(GOOD, encoding="utf-8")
    scenario = load.load(file)
    assert (scenario.name, [case.name for case in scenario.cases]) == ("story", [""])


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("title:", "titel:", "story.yaml:2:1: unknown key 'titel' (did you mean 'title'?)"),
        ("state: forwarded", "stat: forwarded", "story.yaml:14:15: unknown key 'stat' (did you mean 'state'?)"),
        (
            "state: forwarded",
            "state: forwardet",
            "story.yaml:14:15: then.gateway.studies.study.state: input should be 'receiving', 'unmatched', 'matched', "
            "'forwarding', 'forwarded', 'rejected' or 'failed'; found 'forwardet' (did you mean 'forwarded'?)",
        ),
        (
            "state: forwarded",
            "instances: two",
            "story.yaml:14:15: then.gateway.studies.study.instances: input should be a valid integer, "
            "unable to parse string as an integer; found 'two'",
        ),
        ("- store: study", "- store: stud", "story.yaml:10:5: no study 'stud' (did you mean 'study'?)"),
        ("- store: study", "- send: order", "story.yaml:10:5: unknown key 'send' (did you mean 'send_order'?)"),
        ("      study: {state", "      other: {state", "story.yaml:14:7: no study 'other' (known: study)"),
        ("{order: order}", "{order: ordre}", "story.yaml:7:21: no order 'ordre' (did you mean 'order'?)"),
        (
            "- store: study",
            "- store: study\n  - reconcile: {study: stud, order: order}",
            "story.yaml:11:17: no study 'stud' (did you mean 'study'?)",
        ),
        (
            "- store: study",
            "- store: study\n  - reconcile: {study: study, order: ordr}",
            "story.yaml:11:31: no order 'ordr' (did you mean 'order'?)",
        ),
        (
            "- store: study",
            "- store: study\n  - reconcile: {study: study}",
            "story.yaml:11:5: when.2.reconcile: a study is bound to an order or rejected: give order, or reject: true",
        ),
        (
            "- store: study",
            "- store: study\n  - reconcile: {study: study, order: order, reject: true}",
            "story.yaml:11:5: when.2.reconcile: a study is bound to an order or rejected: give order, or reject: true",
        ),
        (
            "then:",
            "then:\n  operator: {answers: [done]}",
            "story.yaml:12:14: 1 answers are expected, and 0 steps reconcile",
        ),
        (
            "then:",
            "then:\n  downstream: {studies: {study: {keys: ordre}}}",
            "story.yaml:12:34: no order 'ordre' (did you mean 'order'?)",
        ),
        ("[MAT-1]", "[MAT-11]", "story.yaml:4:12: no requirement 'MAT-11' (did you mean 'MAT-1'?)"),
        ("scenario: story", "scenario: tale", "story.yaml:1:1: the file of scenario 'tale' must be named so"),
        ("title: A story", "title: A story\ntitle: B", 'story.yaml:3:1: found duplicate key "title" with value "B"'),
        (
            "when:",
            "mutate: {study: [anoter-hkid]}\nwhen:",
            "story.yaml:8:18: no lie 'anoter-hkid' (did you mean 'another-hkid'?)",
        ),
        (
            "{order: order}",
            "{order: order, series: [{sop_class: CTImageStorag}]}",
            "story.yaml:7:45: no SOP class 'CTImageStorag' (did you mean 'CTImageStorage'?)",
        ),
        (
            "given:\n",
            "given:\n  site: {unmatched: drop}\n",
            "story.yaml:6:10: unmatched: input should be 'hold', 'reject' or 'correct'; found 'drop'",
        ),
        (
            "given:\n",
            "given:\n  site: {image_limit: {limt: 3}}\n",
            "story.yaml:6:24: unknown key 'limt' (did you mean 'limit'?)",
        ),
        ("- store: study", "- commit: {study: stud}", "story.yaml:10:14: no study 'stud' (did you mean 'study'?)"),
        (
            "- store: study",
            "- store: study\n  - commit: {study: study, leave_out: 2, another_class: 1}",
            "story.yaml:11:5: 3 instances are left out or changed of 2",
        ),
        (
            "- store: study",
            "- store: study\n  - commit: {study: study, transaction: repeated}",
            "story.yaml:11:28: no step before asks for commitment, so nothing can be repeated",
        ),
        (
            "- store: study",
            "- store: study\n  - wait: {study: study, report: delivered}",
            "story.yaml:11:26: no step before asks for commitment, so there will be no report",
        ),
        (
            "- store: study",
            "- store: study\n  - wait: {study: study}",
            "story.yaml:11:5: when.2.wait: a wait is for a state, for a report, or for 'purged: true'",
        ),
        (
            "then:\n",
            "then:\n  wire: {commitments: {study: {event_type: 1}}}\n",
            "story.yaml:12:24: no step asks for commitment of study 'study'",
        ),
        ("  - store: study\n", "", "story.yaml:13:7: no step stores study 'study'"),
        ("- send_order: order", "- cancel_order: ordre", "story.yaml:9:5: no order 'ordre' (did you mean 'order'?)"),
        ("- send_order: order", "- merge_patient: nobody", "story.yaml:9:5: no order 'nobody' (known: order)"),
        (
            "- send_order: order",
            "- change_order: {order: ordre}",
            "story.yaml:9:20: no order 'ordre' (did you mean 'order'?)",
        ),
        (
            "- send_order: order",
            "- update_patient: {order: order, to: [another-nam]}",
            "story.yaml:9:41: when.0.update_patient.to.0: input should be 'another-hkid', 'another-name'",
        ),
        (
            "{order: {}}",
            "{order: {enhanced: {accept: YES}}}",
            "story.yaml:6:31: given.orders.order.enhanced.accept: input should be 'AL', 'NE', 'ER' or 'SU'",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in GOOD
    found = problems(tmp_path, GOOD.replace(old, new, 1))
    assert any(problem.startswith(expected) for problem in found), found


def with_remotes(remotes: str) -> str:
    studies = "  studies: {study: {order: order}}\n"
    return GOOD.replace(studies, f"{studies}  remotes: {remotes}\n")


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("forward: {study: study, to: remote3}", "story.yaml:12:29: no remote 'remote3'"),
        ("forward: {study: studi, to: remote1}", "story.yaml:12:15: no study 'studi'"),
        ("forward: {study: study, series: 2, to: remote1}", "story.yaml:12:29: the study has 1 series"),
        (
            "forward: {study: study, series: 1, instance: 3, to: remote1}",
            "story.yaml:12:40: series 1 has 2 instances",
        ),
        ("start_remote: remote1", "story.yaml:12:5: remote 'remote1' listens already"),
        ("start_remote: remote5", "story.yaml:12:5: no remote 'remote5'"),
    ],
)
def test_mistakes_about_remotes_and_forwarding(tmp_path: Path, step: str, expected: str) -> None:
    text = with_remotes("{remote1: {}, remote2: {starts: down}}")
    [problem] = problems(tmp_path, text.replace("  - store: study\n", f"  - store: study\n  - {step}\n"))
    assert problem.partition(" (did you mean 'remote")[0].partition(" (did you mean 'study")[0] == expected


def test_a_mistake_about_a_destination_has_its_place(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, with_remotes("{remote1: {destination: {forwards: by-hand}}}"))
    assert problem == "story.yaml:8:37: unknown key 'forwards' (did you mean 'forward'?)"


def test_an_instance_is_counted_in_a_series(tmp_path: Path) -> None:
    step = "  - store: study\n  - forward: {study: study, instance: 1, to: remote1}\n"
    [problem] = problems(tmp_path, GOOD.replace("  - store: study\n", step))
    assert "an instance is counted in its series, so name the series too" in problem


def test_a_remote_that_starts_down_is_started_once(tmp_path: Path) -> None:
    text = with_remotes("{away: {starts: down}}")
    steps = "  - store: study\n  - start_remote: away\n"
    file = tmp_path / "story.yaml"
    file.write_text(text.replace("  - store: study\n", steps), encoding="utf-8")
    assert load.load(file).cases[0].when[-1].start_remote == "away"
    twice = problems(tmp_path, text.replace("  - store: study\n", steps + "  - start_remote: away\n"))
    assert twice == ["story.yaml:13:5: remote 'away' listens already"]


@pytest.mark.parametrize(
    "where",
    [
        "gateway: {studies: {study: {destinations: {far: {state: done}}}}}",
        "downstream: {remotes: {far: {studies: {study: {instances: 1}}}}}",
    ],
)
def test_expectations_of_a_remote_that_is_not_there(tmp_path: Path, where: str) -> None:
    [problem] = problems(tmp_path, GOOD.partition("then:")[0] + f"then:\n  {where}\n")
    assert "no remote 'far'" in problem


def test_all_mistakes_are_told_at_once_in_the_order_of_their_lines(tmp_path: Path) -> None:
    text = GOOD.replace("[MAT-1]", "[NO-1]").replace("state: forwarded", "state: forwarded, refused: many")
    text = text.replace("store: study", "store: stud")
    assert [problem.split(":")[1] for problem in problems(tmp_path, text)] == ["4", "14"]
    text = text.replace(", refused: many", "")
    assert [problem.split(":")[1] for problem in problems(tmp_path, text)] == ["4", "10", "14"]


def test_a_list_is_not_called_too_short_for_what_is_wrong_in_it(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD.replace("{order: order}", "{order: order, series: [{instanc: 2}]}"))
    assert found == ["story.yaml:7:45: unknown key 'instanc' (did you mean 'instances'?)"]
    found = problems(tmp_path, GOOD.replace("{order: order}", "{order: order, series: []}"))
    assert len(found) == 1
    assert found[0].startswith("story.yaml:7:35: given.studies.study.series: tuple should have at least 1 item")


@pytest.mark.parametrize("then", ["then: {}\n", "then: {gateway: {studies: {study: {}}}}\n"])
def test_a_story_that_expects_nothing_does_not_load(tmp_path: Path, then: str) -> None:
    found = problems(tmp_path, GOOD[: GOOD.index("then:")] + then)
    assert found == ["story.yaml:11:1: nothing is expected: a scenario without a check proves nothing"]


def test_an_acknowledgement_of_an_order_that_is_only_cancelled_does_not_load(tmp_path: Path) -> None:
    text = GOOD.replace("send_order", "cancel_order") + "  wire: {orders: {order: {acknowledgement: AA}}}\n"
    [found] = problems(tmp_path, text)
    assert found.startswith("story.yaml:15:27: no step sends order 'order' itself (acknowledgements is about every")
    every = text.replace("acknowledgement: AA", "acknowledgements: [AA]")
    file = tmp_path / "story.yaml"
    file.write_text(every, encoding="utf-8")
    assert load.load(file).cases[0].then.wire.orders["order"].acknowledgements == ("AA",)


def test_an_expectation_of_an_echo_that_nobody_sends_does_not_load(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD + '  wire: {echo: {status: "0000"}}\n')
    assert found == ["story.yaml:15:10: no step asks for an echo, so no answer can be seen"]


def test_a_number_with_leading_zeros_is_no_status(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD + "  wire: {studies: {study: {answers: {0000: 2}}}}\n")
    assert len(found) == 1
    assert found[0].startswith("story.yaml:15:")


@pytest.mark.parametrize(("text", "expected"), [("", "must hold a mapping"), ("- a\n", "must hold a mapping")])
def test_a_file_that_is_no_mapping(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in problems(tmp_path, text)[0]


def test_a_syntax_error_has_its_place(tmp_path: Path) -> None:
    assert problems(tmp_path, "scenario: story\ntitle: [a\nexplain: b\n")[0].startswith("story.yaml:3:")


class TestCases:
    ROWS = """\
for_each:
  - with: {mode: hold, count: 2}
  - with: {mode: reject, count: 3}
    given: {site: {unmatched: $mode}, studies: {study: {series: [{instances: $count}]}}}
    then: {gateway: {studies: {study: {state: rejected, instances: 3}}}}
"""

    def test_rows_are_laid_over_the_story_and_named_by_their_values(self, tmp_path: Path) -> None:
        file = tmp_path / "story.yaml"
        file.write_text(GOOD + self.ROWS, encoding="utf-8")
        held, rejected = load.load(file).cases
        assert (held.name, rejected.name) == ("hold-2", "reject-3")
        assert held.then.gateway.studies["study"].state == "forwarded"
        assert rejected.then.gateway.studies["study"].state == "rejected"
        assert rejected.given.studies["study"].series[0].instances == 3
        assert rejected.given.site == {"unmatched": "reject"}

    def test_axes_span_every_combination(self, tmp_path: Path) -> None:
        file = tmp_path / "story.yaml"
        file.write_text(GOOD + "for_each: {a: [1, 2], b: [x, y, z]}\n", encoding="utf-8")
        assert [case.name for case in load.load(file).cases] == ["1-x", "1-y", "1-z", "2-x", "2-y", "2-z"]

    def test_null_takes_an_expectation_away(self, tmp_path: Path) -> None:
        file = tmp_path / "story.yaml"
        row = "for_each:\n  - with: {a: 1}\n    then: {gateway: {studies: {study: {state: null, instances: 2}}}}\n"
        file.write_text(GOOD + row, encoding="utf-8")
        study = load.load(file).cases[0].then.gateway.studies["study"]
        assert (study.state, study.instances) == (None, 2)

    def test_a_mistake_in_a_row_is_placed_in_the_row(self, tmp_path: Path) -> None:
        found = problems(tmp_path, GOOD + self.ROWS.replace("state: rejected", "state: reject"))
        assert len(found) == 1
        assert found[0].startswith("story.yaml:19:40: then.gateway.studies.study.state: ")
        assert found[0].endswith("(did you mean 'rejected'?)")

    def test_a_mistake_in_the_story_is_told_once_for_all_cases(self, tmp_path: Path) -> None:
        text = GOOD.replace("state: forwarded", "instances: many") + "for_each: {a: [1, 2, 3]}\n"
        assert len(problems(tmp_path, text)) == 1

    def test_two_cases_of_one_name_do_not_load(self, tmp_path: Path) -> None:
        found = problems(tmp_path, GOOD + "for_each: {a: [1, 1]}\n")
        assert found == ["story.yaml:15:1: two cases are named '1' (their values must differ)"]


def test_an_unknown_name_lists_near_misses() -> None:
    with pytest.raises(UsageError, match="unmatchd") as caught:
        load.named("unmatchd")
    assert caught.value.hint == "did you mean 'unmatched'?"


def test_a_folder_of_scenarios_where_the_command_is_run_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "story.yaml").write_text(GOOD, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert [scenario.name for scenario in load.everything()] == ["story"]


def test_the_whole_catalogue_loads() -> None:
    assert [scenario.name for scenario in load.everything()] == list(load.files())


@pytest.mark.parametrize("name", ["fixtures", "scenarios"])
def test_a_folder_of_another_kind_where_the_command_is_run_does_no_harm(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "users.json").write_text("{}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert load.named("echo").name == "echo"
    assert "MAT-1" in requirements.register()


def test_a_file_that_is_nested_too_deeply_is_a_mistake_in_the_file(tmp_path: Path) -> None:
    assert problems(tmp_path, "scenario: " + "[" * 3000) == ["story.yaml: is nested too deeply to be read"]
