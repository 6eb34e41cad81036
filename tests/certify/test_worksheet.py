"""The worksheet: what is printed is what is to be registered, and a scanner reads it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from html.parser import HTMLParser

import pypdfium2
import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from simulator.certify import barcodes, worksheet
from simulator.certify.declaration import Declaration
from simulator.certify.people import SheetEntry
from simulator.synthesis.orders import order
from simulator.synthesis.people import Person, person

DECLARED = Declaration.model_validate(
    {
        "facility": {"name": "Harbour Imaging Centre"},
        "gateway": {"host": "10.1.2.9", "dicom_port": 104},
        "systems": [
            {
                "name": "CT01",
                "ae_title": "HIC_CT01",
                "host": "10.1.2.3",
                "port": 104,
                "does": ["sends", "commitment"],
                "sop_classes": ["CT Image Storage"],
            }
        ],
        "orders": {"sent_by": "facility", "system": "HIC RIS"},
    }
)
WONG = Person("QX123456A", "WONG^SIU MING", "19700305", "F")
HTML_IN_IT = "<script>alert(1)</script>&\"'"
SIX_PIXELS = 6


def entry(number: int, who: Person | None = None, ordered_by: str = "tool", title: str = "A study") -> SheetEntry:
    asked = order(f"order {number}", who or person(f"person {number}"))
    return SheetEntry(f"ct01-study-{number}", title, "CT01", "CT Image Storage", asked, ordered_by)


ENTRIES = [entry(number, ordered_by=who) for number, who in enumerate(["tool", "facility", "nobody"] * 3)]


def pages(entries: Sequence[SheetEntry], declared: Declaration = DECLARED) -> list[str]:
    """Return the text of each page as a reader of PDF takes it out."""
    document = pypdfium2.PdfDocument(worksheet.pdf(entries, declared))
    return [page.get_textpage().get_text_range() for page in document]


def scanned(picture: Image.Image) -> list[str]:
    read = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.Code128))
    return [barcode.text for barcode in read]


def painted(path: str, width: int) -> Image.Image:
    """Paint the bars of an SVG path as a browser does."""
    picture = Image.new("L", (width * SIX_PIXELS, 120), 255)
    for start, wide in re.findall(r"M(\d+) 0h(\d+)v1h-\2z", path):
        left = int(start) * SIX_PIXELS
        ImageDraw.Draw(picture).rectangle((left, 0, left + int(wide) * SIX_PIXELS - 1, 119), fill=0)
    return picture


class Page(HTMLParser):
    """The texts of a page, the elements that it is made of, and its barcodes as scanned."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text = ""
        self.elements: set[str] = set()
        self.scanned: list[str] = []
        self._width = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        found = dict(attrs)
        if tag == "svg":
            self._width = int((found["viewbox"] or "").split()[2])
        if tag == "path":
            self.scanned += scanned(painted(found["d"] or "", self._width))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_every_key_stands_on_paper_as_the_card_has_it_and_as_it_is_typed() -> None:
    (text,) = pages([entry(1, WONG, "facility", "A study that agrees with its order")])
    for shown in (
        "SYNTHETIC PATIENTS - NOT REAL PEOPLE",
        "Harbour Imaging Centre",
        "Send to HAGATEWAY at 10.1.2.9, port 104",
        "1. A study that agrees with its order",
        "Test ct01-study-1",
        "CT01 (HIC_CT01) · CT Image Storage · CT ABDOMEN",
        "You send the order, from HIC RIS, with this accession number.",
        "WONG, SIU MING",
        "WONG^SIU MING",
        "QX123456(A)",
        "QX123456A",
        "5 March 1970",
        "19700305",
        "F (female)",
        entry(1, WONG).order.accession_number,
        "page 1 of 1",
    ):
        assert shown in text, shown


def test_the_screen_shows_the_same() -> None:
    page = Page(worksheet.html([entry(1, WONG, "nobody")], DECLARED))
    for shown in ("WONG, SIU MING", "WONG^SIU MING", "QX123456(A)", "QX123456A", "5 March 1970", "19700305"):
        assert shown in page.text, shown
    assert "Nobody sends an order before the study: send the study first." in page.text
    assert "SYNTHETIC PATIENTS - NOT REAL PEOPLE" in page.text


def test_a_scanner_reads_from_paper_what_is_typed() -> None:
    wanted = [text for line in ENTRIES for text in (line.order.person.hkid, line.order.accession_number)]
    document = pypdfium2.PdfDocument(worksheet.pdf(ENTRIES, DECLARED))
    # 300 dots an inch, as an office printer does at least.
    read = [text for page in document for text in scanned(page.render(scale=300 / 72).to_pil())]
    assert sorted(read) == sorted(wanted)


def test_and_from_the_screen() -> None:
    wanted = [text for line in ENTRIES for text in (line.order.person.hkid, line.order.accession_number)]
    assert Page(worksheet.html(ENTRIES, DECLARED)).scanned == wanted


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=16))
@settings(deadline=None)
def test_a_barcode_holds_any_text_that_an_accession_number_can_be(text: str) -> None:
    bars = barcodes.code128(text)
    assert scanned(painted(bars.path, bars.width)) == [text]


@pytest.mark.parametrize("text", ["", "陳", "a\n"])
def test_what_no_barcode_holds_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no text for a barcode"):
        barcodes.code128(text)


def test_several_patients_stand_on_a_page_and_every_page_says_what_they_are() -> None:
    found = pages(ENTRIES)
    assert len(found) == 3
    for number, text in enumerate(found, start=1):
        assert f"page {number} of 3" in text
        assert "SYNTHETIC PATIENTS - NOT REAL PEOPLE" in text
    assert sum(len(re.findall(r"^Test ", text, re.MULTILINE)) for text in found) == len(ENTRIES)


def test_the_same_session_gives_the_same_bytes() -> None:
    assert worksheet.pdf(ENTRIES, DECLARED) == worksheet.pdf(ENTRIES, DECLARED)
    assert worksheet.html(ENTRIES, DECLARED) == worksheet.html(ENTRIES, DECLARED)


def test_a_session_without_patients_says_so() -> None:
    assert "No test of this session needs a patient." in pages([])[0]
    assert "No test of this session needs a patient." in Page(worksheet.html([], DECLARED)).text


def test_nothing_that_a_facility_writes_becomes_part_of_the_page() -> None:
    facility = DECLARED.facility.model_copy(update={"name": HTML_IN_IT})
    orders = DECLARED.orders.model_copy(update={"system": HTML_IN_IT})
    declared = DECLARED.model_copy(update={"facility": facility, "orders": orders})
    plain = Page(worksheet.html([entry(1)], DECLARED))
    line = dataclasses.replace(
        entry(1, Person("Q1234563", HTML_IN_IT, "1970", "X"), "facility"),
        test=HTML_IN_IT,
        title=HTML_IN_IT,
        system=HTML_IN_IT,
        sop_class=HTML_IN_IT,
    )
    page = Page(worksheet.html([line], declared))
    assert page.elements == plain.elements
    assert page.text.count(HTML_IN_IT) >= 7
    (text,) = pages([line], declared)
    assert "".join(text.split()).count("<script>alert(1)</script>&\"'") >= 7


def test_a_chinese_name_stays_text_and_a_long_one_is_broken() -> None:
    named = DECLARED.facility.model_copy(update={"name": "港灣造影中心 Ж"})
    declared = DECLARED.model_copy(update={"facility": named})
    (text,) = pages([entry(1, title="Storage" * 40)], declared)
    assert "港灣造影中心 \\u0416" in text
    assert "Storage" * 40 in "".join(text.split())
