"""The run in reports/golden: what was saved then is read and judged the same now.

To make it anew: `simulate --scenario unmatched --seed 7`, and copy the four files of `reports/latest`.
"""

from __future__ import annotations

from pathlib import Path

from simulator.report.model import Result
from simulator.scenario import history, load
from simulator.scenario.checks import check
from simulator.scenario.plan import case_id

GOLDEN = Path(__file__).resolve().parent.parent / "reports" / "golden" / "unmatched"


def test_the_saved_history_is_judged_as_it_was() -> None:
    result = Result.model_validate_json((GOLDEN / "result.json").read_text(encoding="utf-8"))
    header, histories = history.read(GOLDEN / "history.jsonl")
    assert header["seed"] == result.seed == 7
    scenario = load.named("unmatched")
    cases = {case_id(scenario, case): case for case in scenario.cases}
    saved = {case.id: case.checks for case in result.scenarios[0].cases}
    assert set(saved) == set(cases) == {seen.case for seen in histories}
    for seen in histories:
        findings = check(cases[seen.case], seen)
        assert [(f.check, f.verdict, f.expected, f.observed) for f in findings] == [
            (c.check, c.verdict, c.expected, c.observed) for c in saved[seen.case]
        ]


def test_the_saved_report_is_one_file_that_needs_no_other() -> None:
    page = (GOLDEN / "report.html").read_text(encoding="utf-8")
    assert "Passed: all of 53 checks." in page
    assert "<script" not in page
    assert page.count(" src=") == page.count(' src="data:image/png;base64,') == 6
