from __future__ import annotations

import re
from base64 import b64encode
from html.parser import HTMLParser

import numpy as np
import pytest

from simulator.report import html, words
from simulator.report.html import Tile
from simulator.report.model import Result
from simulator.scenario.findings import VERDICTS
from simulator.scenario.plan import Picture
from simulator.synthesis.preview import thumbnail
from simulator.synthesis.tomography import CT
from tests.report import made

VOID = frozenset(("meta", "wbr", "img", "br"))


class Page(HTMLParser):
    """A page as read: its tags with their attributes, its text, and whether every tag is closed."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def read(result: Result) -> Page:
    page = Page(html.render(result))
    assert page.open == []
    return page


def test_a_text_of_a_peer_cannot_become_markup() -> None:
    attack = "<script>alert(1)</script><img src=x onerror=alert(1)>\" onload='x"
    source = html.render(made.failed(attack))
    page = Page(source)
    assert "<script" not in source
    assert attack in page.text
    assert not page.all("script")
    assert not page.all("img")


def test_every_text_is_escaped_wherever_it_stands() -> None:
    attack = "<b onclick=x>'\"&"
    result = made.mixed()
    (scenario,) = result.scenarios
    told = scenario.model_copy(
        update={
            **dict.fromkeys(("scenario", "title", "explain"), attack),
            "tags": (attack,),
            "verifies": tuple(
                row.model_copy(update={"id": attack, "source": attack, "text": attack}) for row in scenario.verifies
            ),
            "cases": tuple(case.model_copy(update={"id": attack}) for case in scenario.cases),
        }
    )
    changed = {**dict.fromkeys(("name", "version", "site", "started"), attack), "scenarios": (told,)}
    page = read(result.model_copy(update=changed))
    assert not page.all("b")
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert page.text.count(attack) >= 16


def test_invisible_characters_are_shown_as_escapes() -> None:
    source = html.render(made.failed("\x1b[2J\u202e"))
    assert "\x1b" not in source
    assert "\u202e" not in source
    assert "\\x1b[2J\\u202e" in Page(source).text


def test_the_page_needs_nothing_else() -> None:
    source = html.render(made.mixed())
    page = Page(source)
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & {tag for tag, _ in page.tags}
    assert not re.search(r"url\(|@import|javascript:|https?://", source)
    assert {str(link["href"])[0] for link in page.all("a")} == {"#"}
    (policy,) = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_every_link_leads_somewhere_and_every_id_is_there_once() -> None:
    page = read(made.mixed())
    ids = [str(attributes["id"]) for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {str(link["href"])[1:] for link in page.all("a")} <= set(ids)


def test_everything_of_the_result_is_on_the_page() -> None:
    result = made.mixed()
    page = read(result)
    for needed in (str(result.seed), result.version, result.site, "2026-11-23 01:15:00 UTC", words.headline(result)):
        assert needed in page.text
    assert words.command(result) in page.text
    (scenario,) = result.scenarios
    for needed in (scenario.title, scenario.explain, *(row.text for row in scenario.verifies)):
        assert needed in page.text
    for case in scenario.cases:
        assert case.id in page.text
        for check in case.checks:
            assert check.check in page.text
            assert check.because in page.text
        for step in case.steps:
            assert step.text in page.text


def test_what_failed_stands_first_with_whose_screen_to_edit() -> None:
    result = made.mixed()
    first, rest = read(result).text.split("What to look at first")[1].split("Scenarios", 1)
    assert result.scenarios[0].explain in first
    for case in result.scenarios[0].cases:
        for check in case.checks:
            assert check.because in rest
            if check.verdict in words.UNPROVEN:
                assert check.because in first
                assert words.value(check.observed) in first
    assert "matched[passes]" not in first


def test_a_run_that_passed_has_nothing_to_look_at_first() -> None:
    assert "What to look at first" not in read(made.passed()).text


def test_failing_cases_are_open_and_passing_ones_are_folded() -> None:
    cases = [details for details in read(made.mixed()).all("details") if details["class"] == "case"]
    assert ["open" in case for case in cases] == [False, True, True, True]


def test_each_verdict_is_told_by_a_word_beside_its_colour() -> None:
    page = read(made.with_verdicts(made.passed(), *VERDICTS))
    for verdict in VERDICTS:
        assert any(f"badge {verdict}" == attributes.get("class") for _, attributes in page.tags)
        assert words.VERDICT_WORDS[verdict] in page.text


@pytest.mark.parametrize("result", [made.passed(), made.failed()])
def test_it_says_what_it_is_not(result: Result) -> None:
    assert "not a DICOM certification" in read(result).text
    assert "All people in it are synthetic" in read(result).text


def test_a_run_in_which_nothing_was_checked_says_so() -> None:
    result = made.passed()
    failed = result.scenarios[0].model_copy(update={"verdict": "error", "cases": ()})
    empty = result.model_copy(update={"verdict": "error", "counts": {}, "scenarios": (failed,)})
    for unproven in (empty, made.run("none")):
        assert "nothing is proven" in read(unproven).text.split("What to look at first")[1]


def test_the_contact_sheet_shows_what_was_sent_and_needs_no_other_file() -> None:
    png = thumbnail(np.zeros((8, 8), np.uint16), CT, 8)
    picture = Picture("study", "CT <Image>", "SYNCT2400000001A", 2, ("RLELossless",), png)
    page = Page(html.render(made.mixed(), [Tile("matched[passes]", picture)]))
    [image] = page.all("img")
    assert image["src"] == f"data:image/png;base64,{b64encode(png).decode()}"
    assert image["alt"] == "CT <Image>, SYNCT2400000001A"
    for expected in ("What was sent", "matched[passes]", "SYNCT2400000001A", "2 instances", "RLELossless"):
        assert expected in page.text


def test_without_pictures_there_is_no_contact_sheet() -> None:
    assert "What was sent" not in read(made.mixed()).text
