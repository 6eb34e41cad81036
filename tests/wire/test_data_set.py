from __future__ import annotations

import struct
import tracemalloc
import warnings
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import example, given, reject
from hypothesis import strategies as st
from pydicom import DataElement, Dataset
from pydicom.data import get_testdata_file
from pydicom.dataelem import RawDataElement
from pydicom.encaps import generate_fragments
from pydicom.filereader import data_element_generator, dcmread

from simulator.errors import NotDicom
from simulator.wire import data_set, part10
from simulator.wire.data_set import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from tests.wire.made import (
    NATIVE,
    RLE,
    SYNTAXES,
    boundaries,
    compressed,
    data_sets,
    deflated,
    fragments,
    in_any_syntax,
    in_native_syntax,
    sequence,
    steady,
    unknown_sequence,
    written,
)

STUDY, SERIES = data_set.STUDY_INSTANCE_UID, data_set.SERIES_INSTANCE_UID

# Files of pydicom's own tests, by what this walk says of them.
WHOLE = (
    "CT_small.dcm", "MR_small.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_expb.dcm",
    "MR_small_implicit.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_padded.dcm",
    "JPEG-lossy.dcm", "JPEG2000-embedded-sequence-delimiter.dcm", "SC_rgb_rle_2frame.dcm",
    "SC_rgb_small_odd_big_endian.dcm", "UN_sequence.dcm", "examples_jpeg2k.dcm", "examples_overlay.dcm",
    "examples_palette.dcm", "examples_rgb_color.dcm", "examples_ybr_color.dcm", "image_dfl.dcm",
    "no_meta_group_length.dcm", "priv_SQ.dcm", "reportsi.dcm", "rtdose_1frame.dcm", "rtplan.dcm", "test-SR.dcm",
    "waveform_ecg.dcm",
)  # fmt: skip
CUT_SHORT = {
    "MR_truncated.dcm": "truncated: (7FE0,0010)",
    "rtplan_truncated.dcm": "truncated: (300A,00B0)",
    "SC_rgb_jpeg.dcm": "(0008,0008) has no value representation (byte 0",  # is implicit, and says explicit
}


def content(name: str) -> tuple[bytes, str]:
    found = get_testdata_file(name, download=False)
    assert isinstance(found, str)
    outgoing = part10.read(Path(found).read_bytes())
    return outgoing.data_set, outgoing.transfer_syntax_uid


def by_pydicom(data: bytes, syntax: str) -> dict[int, bytes | None]:
    """Return what pydicom finds at the top level: values by tag, None where it made a sequence of the value."""
    implicit, little = syntax == IMPLICIT_VR_LITTLE_ENDIAN, syntax != EXPLICIT_VR_BIG_ENDIAN
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = list(data_element_generator(BytesIO(data), implicit, little))
    return {int(e.tag): bytes(e.value or b"") if isinstance(e, RawDataElement) else None for e in read}


def assert_agrees(data: bytes, syntax: str) -> None:
    whole = data_set.plain(data, syntax)
    expected = by_pydicom(whole, syntax)
    found = data_set.read(data, syntax, set(expected))
    assert list(found) == list(expected)
    assert {tag: value for tag, value in found.items() if expected[tag] is not None} == {
        tag: value for tag, value in expected.items() if value is not None
    }


# --- against pydicom ---------------------------------------------------------------------------------


@given(in_any_syntax)
@steady
def test_it_reads_what_pydicom_wrote(pair: tuple[Dataset, str]) -> None:
    made, syntax = pair
    assert_agrees(written(made, syntax), syntax)


@given(compressed)
@steady
def test_it_reads_fragments(made: Dataset) -> None:
    data = written(made)
    assert_agrees(data, RLE)
    value = data_set.read(data, RLE, {data_set.PIXEL_DATA})[data_set.PIXEL_DATA]
    assert list(generate_fragments(value)) == list(generate_fragments(made.PixelData))


def test_the_digest_is_xxh3_of_128_bits() -> None:
    assert data_set.digest(b"") == "99aa06d3014798d86001c324468d497f"  # as xxHash's own description has it
    assert data_set.digest(memoryview(b"ab")) == data_set.digest(b"ab") != data_set.digest(b"ba")


@given(in_any_syntax)
@steady
def test_the_digest_of_pixel_data_is_that_of_its_value(pair: tuple[Dataset, str]) -> None:
    made, syntax = pair
    expected = data_set.digest(made.PixelData) if "PixelData" in made else ""
    assert data_set.pixel_data_digest(written(made, syntax), syntax) == expected


@given(in_native_syntax)
@steady
def test_elements_lie_side_by_side(pair: tuple[Dataset, str]) -> None:
    made, syntax = pair
    data = written(made, syntax)
    places = list(data_set.elements(data, syntax))
    ends = boundaries(made, syntax)[1:]
    assert [place.tag for place in places] == [int(tag) for tag in made.keys()]  # noqa: SIM118
    for place, end in zip(places, ends, strict=True):
        closed = 8 if data[place.end : end] else 0  # behind an undefined length stands a delimiter
        assert place.start <= place.end == end - closed


@pytest.mark.parametrize("name", WHOLE)
def test_real_files_are_read(name: str) -> None:
    data, syntax = content(name)
    assert_agrees(data, syntax)


@pytest.mark.parametrize("name", CUT_SHORT)
def test_broken_files_are_refused(name: str) -> None:
    data, syntax = content(name)
    with pytest.raises(NotDicom) as refused:
        data_set.read(data, syntax, {STUDY})
    assert CUT_SHORT[name] in str(refused.value)


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm", "image_dfl.dcm"])
def test_the_keys_are_those_that_pydicom_reads(name: str) -> None:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    expected = dcmread(path)
    values = data_set.read(*content(name), {STUDY, SERIES, data_set.PATIENT_NAME, data_set.PATIENT_ID})
    assert data_set.text(values, STUDY) == expected.StudyInstanceUID
    assert data_set.text(values, SERIES) == expected.SeriesInstanceUID
    assert data_set.text(values, data_set.PATIENT_NAME) == str(expected.PatientName)
    assert data_set.text(values, data_set.PATIENT_ID) == expected.PatientID


# --- what is not whole -------------------------------------------------------------------------------


def assert_noticed_at_every_byte(made: Dataset, written_as: str, walked_as: str) -> None:
    data, between = written(made, written_as), boundaries(made, written_as)
    assert between[-1] == len(data)
    for cut in range(len(data)):
        if cut in between:
            assert len(list(data_set.elements(data[:cut], walked_as))) == between.index(cut)
        else:
            with pytest.raises(NotDicom):
                data_set.read(data[:cut], walked_as, ())


@given(in_native_syntax)
@steady
def test_a_cut_is_noticed_unless_it_falls_between_two_elements(pair: tuple[Dataset, str]) -> None:
    made, syntax = pair
    assert_noticed_at_every_byte(made, syntax, syntax)


@given(compressed)
@steady
def test_a_cut_in_fragments_is_noticed(made: Dataset) -> None:
    assert_noticed_at_every_byte(made, EXPLICIT_VR_LITTLE_ENDIAN, RLE)


@given(data_sets)
@steady
def test_a_cut_in_a_deflated_data_set_is_noticed_everywhere(made: Dataset) -> None:
    data = written(made, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)
    for cut in range(len(data)):
        with pytest.raises(NotDicom, match="cannot be inflated"):
            data_set.read(data[:cut], DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, ())


def test_a_deflate_bomb_is_not_inflated_without_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_set, "MAXIMUM_INFLATED", 1_000_000)
    deflating = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    bomb = deflating.compress(bytes(100_000_000)) + deflating.flush()
    assert len(bomb) < 100_000
    tracemalloc.start()
    try:
        with pytest.raises(NotDicom, match="cannot be inflated: it is more than 1000000 bytes"):
            data_set.survey(bomb, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, frozenset())
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_what_was_cut_before_it_was_deflated_is_noticed() -> None:
    made = Dataset()
    made.PatientID = "A1234563"
    data = deflated(written(made)[:-2])
    with pytest.raises(NotDicom, match=r"truncated: \(0010,0020\)"):
        data_set.read(data, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, ())


def test_the_byte_that_pads_a_deflated_data_set_does_not_count() -> None:
    made = Dataset()
    made.PatientID = "A1234563"
    data = written(made, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN) + b"\0"  # PS3.5 A.5
    assert data_set.read(data, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, {data_set.PATIENT_ID}) == {
        data_set.PATIENT_ID: b"A1234563"
    }


def test_a_cut_is_noticed_even_when_all_tags_were_found() -> None:
    made = Dataset()
    made.PatientID = "A1234563"
    made.PixelData = bytes(100)
    made["PixelData"].VR = "OW"
    data = written(made)
    assert data_set.read(data, EXPLICIT_VR_LITTLE_ENDIAN, {data_set.PATIENT_ID})
    with pytest.raises(NotDicom, match=r"truncated: \(7FE0,0010\) needs 100 bytes, 99 are left \(byte 16\)"):
        data_set.read(data[:-1], EXPLICIT_VR_LITTLE_ENDIAN, {data_set.PATIENT_ID})


@given(st.binary(max_size=64), st.sampled_from((*SYNTAXES, RLE)))
@example(b"\xff" * 16, IMPLICIT_VR_LITTLE_ENDIAN)
@example(b"\xfe\xff\x00\xe0\xff\xff\xff\xff", EXPLICIT_VR_LITTLE_ENDIAN)
@steady
def test_garbage_is_refused_and_nothing_else(data: bytes, syntax: str) -> None:
    try:
        found = data_set.read(data, syntax, {STUDY})
    except NotDicom:
        return
    assert set(found) <= {STUDY}


@pytest.mark.parametrize("syntax", NATIVE)
def test_sequences_nested_without_end_are_refused(syntax: str) -> None:
    order = ">" if syntax == EXPLICIT_VR_BIG_ENDIAN else "<"
    vr = b"" if syntax == IMPLICIT_VR_LITTLE_ENDIAN else b"SQ\0\0"
    undefined = struct.pack(order + "L", 0xFFFFFFFF)
    opened = struct.pack(order + "HH", 0x0008, 0x1140) + vr + undefined
    opened += struct.pack(order + "HH", 0xFFFE, 0xE000) + undefined
    with pytest.raises(NotDicom, match="nested in"):
        data_set.read(opened * 5000, syntax, ())


def test_sequences_nested_as_deep_as_any_report_are_read() -> None:
    made = Dataset()
    made.PatientID = "A1234563"
    for _ in range(40):
        around = Dataset()
        around.add(sequence(0x0040A730, [made], undefined=True, undefined_items=True))
        made = around
    assert_agrees(written(made), EXPLICIT_VR_LITTLE_ENDIAN)


def test_a_value_in_an_item_is_not_taken_for_one_of_the_data_set() -> None:
    item = Dataset()
    item.StudyInstanceUID = "1.2.3"
    made = Dataset()
    made.add(sequence(0x00081140, [item], undefined=True, undefined_items=True))
    made.add(unknown_sequence(0x00091030, [item]))
    assert data_set.read(written(made), EXPLICIT_VR_LITTLE_ENDIAN, {STUDY}) == {}


@pytest.mark.parametrize("syntax", [EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN])
def test_an_unknown_sequence_is_implicit_little_endian_inside(syntax: str) -> None:
    item = Dataset()
    item.StudyInstanceUID = "1.2.3"
    made = Dataset()
    made.add(unknown_sequence(0x00091030, [item, item]))
    made.PatientID = "A1234563"
    # pydicom writes the delimiter in the byte order around it, but it ends what is little-endian.
    data = written(made, syntax).replace(b"\xff\xfe\xe0\xdd", b"\xfe\xff\xdd\xe0")
    found = data_set.read(data, syntax, {0x00091030, data_set.PATIENT_ID})
    assert found[0x00091030] == made[0x00091030].value
    assert found[data_set.PATIENT_ID] == b"A1234563"


def test_fragments_may_hold_what_looks_like_their_end() -> None:
    made = Dataset()
    made.add(fragments(b"\xfe\xff\xdd\xe0\0\0\0\0", b"\xfe\xff\x00\xe0"))
    data = written(made)
    assert data_set.pixel_data_digest(data, RLE) == data_set.digest(made.PixelData)


# --- a survey ----------------------------------------------------------------------------------------

DESCRIPTION, REQUESTS = 0x00081030, 0x00400275


def element(tag: int, vr: bytes, value: bytes, syntax: str = EXPLICIT_VR_LITTLE_ENDIAN) -> bytes:
    """Return an element that no writer has mended, of defined length."""
    order = ">" if syntax == EXPLICIT_VR_BIG_ENDIAN else "<"
    head = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)
    if syntax == IMPLICIT_VR_LITTLE_ENDIAN or tag >> 16 == 0xFFFE:
        return head + struct.pack(order + "L", len(value)) + value
    if vr in (b"SQ", b"OB", b"UN"):
        return head + vr + b"\0\0" + struct.pack(order + "L", len(value)) + value
    return head + vr + struct.pack(order + "H", len(value)) + value


def in_a_sequence(value: bytes, syntax: str, *, closed: bool, tag: int = REQUESTS) -> bytes:
    """Return a sequence with one item; `closed` by delimiters instead of lengths."""
    if not closed:
        return element(tag, b"SQ", element(0xFFFEE000, b"", value, syntax), syntax)
    order = ">" if syntax == EXPLICIT_VR_BIG_ENDIAN else "<"
    vr = b"" if syntax == IMPLICIT_VR_LITTLE_ENDIAN else b"SQ\0\0"
    opened = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF) + vr + b"\xff" * 4
    item = struct.pack(order + "HH", 0xFFFE, 0xE000) + b"\xff" * 4
    ends = struct.pack(order + "HHLHHL", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    return opened + item + value + ends


def refused(data: bytes, syntax: str) -> str:
    with pytest.raises(NotDicom) as complaint:
        data_set.survey(data, syntax, ())
    return str(complaint.value)


def surveyed(data: bytes, syntax: str, tags: set[int]) -> data_set.Survey:
    """Return the survey of what pydicom wrote, which leaves an UN of odd length as it is."""
    try:
        return data_set.survey(data, syntax, tags)
    except NotDicom as complaint:
        if "odd length: (0009,1020) has" in str(complaint):
            reject()
        raise


@given(in_any_syntax)
@steady
def test_a_survey_finds_what_reading_finds(pair: tuple[Dataset, str]) -> None:
    made, syntax = pair
    data, tags = written(made, syntax), {int(tag) for tag in made.keys()}  # noqa: SIM118
    survey = surveyed(data, syntax, tags - {data_set.PIXEL_DATA})
    expected = data_set.read(data, syntax, tags)
    pixels = expected.pop(data_set.PIXEL_DATA, None)
    assert survey.values == expected
    place = survey.pixel_data
    assert pixels == (place and data_set.plain(data, syntax)[place.start : place.end])
    assert place is None or place.items is None


@given(compressed)
@steady
def test_a_survey_counts_the_items_of_pixel_data(made: Dataset) -> None:
    place = surveyed(written(made), RLE, set()).pixel_data
    assert place is not None
    assert place.items == len(list(generate_fragments(made.PixelData)))


@given(in_native_syntax)
@steady
def test_a_survey_notices_a_cut(pair: tuple[Dataset, str]) -> None:
    made, syntax = pair
    data, between = written(made, syntax), boundaries(made, syntax)
    for cut in set(range(len(data))) - set(between):
        refused(data[:cut], syntax)


@pytest.mark.parametrize("tag", [DESCRIPTION, data_set.PIXEL_DATA])
@pytest.mark.parametrize("syntax", [IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN])
def test_a_survey_refuses_what_it_is_asked_for_twice(tag: int, syntax: str) -> None:
    vr = b"OB" if tag == data_set.PIXEL_DATA else b"LO"
    once = element(tag, vr, b"ONE ", syntax)
    data = once + element(tag, vr, b"ANOTHER ", syntax)
    place = data.index(b"ANOTHER ")
    with pytest.raises(NotDicom, match=rf"repeated: \S+ stands there twice \(second value at byte {place}\)"):
        data_set.survey(data, syntax, {DESCRIPTION})
    # The same attribute in a sequence is another one.
    nested = in_a_sequence(once, syntax, closed=True) + once
    assert data_set.survey(nested, syntax, {DESCRIPTION}).values == ({} if vr == b"OB" else {DESCRIPTION: b"ONE "})


@pytest.mark.parametrize("name", WHOLE)
def test_a_survey_has_no_complaint_about_real_files(name: str) -> None:
    data, syntax = content(name)
    assert data_set.survey(data, syntax, {STUDY}).values == data_set.read(data, syntax, {STUDY})


@pytest.mark.parametrize("name", CUT_SHORT)
def test_a_survey_refuses_broken_files(name: str) -> None:
    assert CUT_SHORT[name] in refused(*content(name))


@pytest.mark.parametrize("syntax", NATIVE)
def test_a_value_of_odd_length_is_refused_where_it_stands(syntax: str) -> None:
    before = element(data_set.ACCESSION_NUMBER, b"SH", b"AB", syntax)
    data = before + element(DESCRIPTION, b"LO", b"ODD", syntax)
    assert refused(data, syntax) == "odd length: (0008,1030) has 3 bytes (byte 10)"
    # Who only looks on reads it all the same.
    assert data_set.read(data, syntax, {DESCRIPTION}) == {DESCRIPTION: b"ODD"}


@pytest.mark.parametrize("syntax", NATIVE)
@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("closed_around", [False, True])
def test_an_odd_length_in_an_item_is_refused(syntax: str, closed: bool, closed_around: bool) -> None:
    odd = element(DESCRIPTION, b"LO", b"ODD", syntax)
    nested = in_a_sequence(in_a_sequence(odd, syntax, closed=closed), syntax, closed=closed_around, tag=0x00081140)
    data = element(data_set.ACCESSION_NUMBER, b"SH", b"AB", syntax) + nested
    assert refused(data, syntax) == f"odd length: (0008,1030) has 3 bytes (byte {data.index(odd)})"
    mended = element(DESCRIPTION, b"LO", b"EVEN", syntax)
    nested = in_a_sequence(in_a_sequence(mended, syntax, closed=closed), syntax, closed=closed_around, tag=0x00081140)
    assert data_set.survey(nested, syntax, {0x00081140}).values.keys() == {0x00081140}


def test_an_odd_length_in_an_unknown_sequence_is_refused() -> None:
    item = element(0xFFFEE000, b"", element(DESCRIPTION, b"", b"ODD", IMPLICIT_VR_LITTLE_ENDIAN))
    data = b"\x09\x00\x10\x10UN\0\0\xff\xff\xff\xff" + item + b"\xfe\xff\xdd\xe0\0\0\0\0"
    assert refused(data, EXPLICIT_VR_LITTLE_ENDIAN) == "odd length: (0008,1030) has 3 bytes (byte 20)"


def test_a_deflated_odd_length_is_refused_by_its_place_in_what_was_deflated() -> None:
    data = deflated(element(DESCRIPTION, b"LO", b"ODD"))
    assert refused(data, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN) == "odd length: (0008,1030) has 3 bytes (byte 0)"


def test_the_byte_that_pads_a_deflated_data_set_is_no_matter_of_a_survey() -> None:
    whole = deflated(element(DESCRIPTION, b"LO", b"EVEN"))
    for data in (whole, whole + b"\0"):
        assert data_set.survey(data, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, {DESCRIPTION}).values == {DESCRIPTION: b"EVEN"}


def test_a_fragment_of_odd_length_is_refused() -> None:
    items = element(0xFFFEE000, b"", b"") + element(0xFFFEE000, b"", b"ODD")
    data = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + items + b"\xfe\xff\xdd\xe0\0\0\0\0"
    assert refused(data, RLE) == "odd length: item of (7FE0,0010), 3 bytes (byte 20)"


@pytest.mark.parametrize("syntax", NATIVE)
def test_what_is_no_item_in_a_sequence_of_defined_length_is_refused(syntax: str) -> None:
    data = element(REQUESTS, b"SQ", element(DESCRIPTION, b"LO", b"EVEN", syntax), syntax)
    assert refused(data, syntax).startswith("(0008,1030) stands where (0040,0275) has an item (byte ")
    assert data_set.read(data, syntax, ()) == {}


@pytest.mark.parametrize("syntax", NATIVE)
def test_an_element_does_not_reach_beyond_the_item_that_it_stands_in(syntax: str) -> None:
    inner = element(DESCRIPTION, b"LO", b"EVEN", syntax)[:-2]
    data = in_a_sequence(inner, syntax, closed=False) + element(data_set.PIXEL_DATA, b"OB", b"\1\2\3\4", syntax)
    assert refused(data, syntax).startswith("truncated: (0008,1030) needs 4 bytes, 2 are left (byte ")


@pytest.mark.parametrize("syntax", NATIVE)
def test_sequences_of_defined_length_nested_without_end_are_refused(syntax: str) -> None:
    data = b""
    for _ in range(100):
        data = in_a_sequence(data, syntax, closed=False)
    assert "nested in 64 sequences" in refused(data, syntax)


def test_what_may_be_no_sequence_is_not_looked_into() -> None:
    private = element(0x00091010, b"", b"\1\2\3\4", IMPLICIT_VR_LITTLE_ENDIAN)
    assert data_set.survey(private, IMPLICIT_VR_LITTLE_ENDIAN, ()).values == {}
    unknown = element(REQUESTS, b"UN", b"\1\2\3\4")
    assert data_set.survey(unknown, EXPLICIT_VR_LITTLE_ENDIAN, ()).values == {}


@given(st.binary(max_size=64), st.sampled_from((*SYNTAXES, RLE)))
@steady
def test_a_survey_refuses_garbage_and_nothing_else(data: bytes, syntax: str) -> None:
    try:
        found = data_set.survey(data, syntax, {STUDY})
    except NotDicom:
        return
    assert set(found.values) <= {STUDY}


# --- numbers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_number_is_read_in_the_byte_order_of_its_syntax(syntax: str) -> None:
    made = Dataset()
    made.Rows = 258
    values = data_set.read(written(made, syntax), syntax, {data_set.ROWS})
    assert data_set.unsigned_short(values, data_set.ROWS, syntax) == 258


@pytest.mark.parametrize("raw", [b"", b"\1", b"\1\0\1\0"])
def test_what_is_not_one_number_is_none(raw: bytes) -> None:
    assert data_set.unsigned_short({data_set.ROWS: raw}, data_set.ROWS, EXPLICIT_VR_LITTLE_ENDIAN) is None
    assert data_set.unsigned_short({}, data_set.ROWS, EXPLICIT_VR_LITTLE_ENDIAN) is None


# --- text --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("ISO_IR 192", "CHAN^TAI MAN=陳^大文"),
        ("GB18030", "CHEN^DAWEN=陈^大文"),
        ("GBK", "CHEN^DAWEN=陈^大文"),
        ("ISO_IR 100", "MÜLLER^JÖRG"),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    ],
)
def test_names_are_read_in_their_character_set(character_set: str | list[str], name: str) -> None:
    made = Dataset()
    made.SpecificCharacterSet = character_set
    made.PatientName = name
    values = data_set.read(
        written(made), EXPLICIT_VR_LITTLE_ENDIAN, {data_set.SPECIFIC_CHARACTER_SET, data_set.PATIENT_NAME}
    )
    assert data_set.text(values, data_set.PATIENT_NAME) == name


@pytest.mark.parametrize(
    ("raw", "character_set"),
    [
        ("陳^大文".encode(), b""),  # nothing is said
        ("陳^大文".encode(), b"ISO_IR 6"),  # the default repertoire
        ("陳^大文".encode("gb18030"), b"ISO_IR 192"),
        (b"\xffCHAN", b"GB18030"),
        ("陳^大文".encode(), b"no such set"),
    ],
)
def test_text_outside_its_character_set_equals_nothing(raw: bytes, character_set: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        name = data_set.text(
            {data_set.PATIENT_NAME: raw, data_set.SPECIFIC_CHARACTER_SET: character_set}, data_set.PATIENT_NAME
        )
    assert "\N{REPLACEMENT CHARACTER}" in name


_declared = st.one_of(
    st.binary(max_size=20),
    st.lists(
        st.sampled_from(
            [b"", b"ISO_IR 192", b"GB18030", b"GBK", b"ISO 2022 IR 87", b"ISO 2022 IR 149", b"ISO_IR 13", b"UTF-8"]
        ),
        max_size=3,
    ).map(b"\\".join),
)


@given(st.binary(max_size=40), _declared)
@example(b"\x1b$B\xff", b"\\ISO 2022 IR 87")
@steady
def test_no_character_set_makes_reading_fail(raw: bytes, character_set: bytes) -> None:
    values = {data_set.PATIENT_NAME: raw, data_set.SPECIFIC_CHARACTER_SET: character_set}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = data_set.text(values, data_set.PATIENT_NAME)
    text.encode("utf-8")  # what is indexed and told can be written down
    assert not text.endswith(" ")


def test_padding_is_no_part_of_a_value() -> None:
    made = Dataset()
    made.add(DataElement(STUDY, "UI", "1.2.3"))
    made.add(DataElement(data_set.ACCESSION_NUMBER, "SH", "ABC"))
    values = data_set.read(written(made), EXPLICIT_VR_LITTLE_ENDIAN, {STUDY, data_set.ACCESSION_NUMBER})
    assert values == {STUDY: b"1.2.3\0", data_set.ACCESSION_NUMBER: b"ABC "}
    assert data_set.text(values, STUDY) == "1.2.3"
    assert data_set.text(values, data_set.ACCESSION_NUMBER) == "ABC"
    assert data_set.text(values, SERIES) == ""


def test_a_tag_is_printed_as_the_standard_prints_it() -> None:
    assert data_set.tag_text(0x7FE00010) == "(7FE0,0010)"
