from __future__ import annotations

from contextlib import suppress
from dataclasses import fields, replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simulator.errors import Hl7ParseError
from simulator.wire import hl7_acknowledgements, hl7_messages, hl7_segments
from simulator.wire.hl7_acknowledgements import Fault
from simulator.wire.hl7_messages import Envelope, OrderMessage
from simulator.wire.hl7_segments import Header
from tests.wire.made import steady

SENT_AT = "20240102030405"
ORDER = OrderMessage(
    message_type="ORM^O01",
    version="2.3.1",
    control_id="MSG1",
    sender="RIS|FACILITY",
    order_control="NW",
    accession_number="XXXXR0700000101H",
    placer_order_number="P1",
    filler_order_number="F1",
    requested_procedure_id="RP1",
    study_instance_uid="1.2.3",
    modality="CT",
    patient_id="A1234563",
    patient_name="CHAN^TAI MAN",
    patient_birth_date="19700131",
    patient_sex="M",
)
TYPES = tuple(hl7_messages.VERSIONS)
MESSAGE = (
    "MSH|^~\\&|RIS|FACILITY|HAGATEWAY|HAHO|20240102030405||ORM^O01|MSG1|P|2.3.1",
    "PID|1||HKID:A123456(3)^^^HA^HKID~X99^^^OTHER||CHAN^TAI MAN||197001311230|M",
    "ORC|NW|P1^RIS|F1^RIS",
    "OBR|1|P1|F1|CT1^CT ABDOMEN^LOCAL||||||||||||||XXXXR0700000101H|RP1|||||CT",
    "ZDS|1.2.3^RIS^Application^DICOM",
)


def joined(*segments: str, end: str = "\r", codec: str = "utf-8") -> bytes:
    return "".join(segment + end for segment in segments).encode(codec)


def without(name: str) -> bytes:
    return joined(*(segment for segment in MESSAGE if not segment.startswith(name)))


# Any text, but that HL7 cannot tell an empty value from `""` and that outer blanks do not count.
_anything = st.one_of(st.text(max_size=20), st.text("|^~\\&\r\nABFSTRE.X0D 陳大文", max_size=20)).map(str.strip)
texts = _anything.filter(lambda text: text != '""')
# A PN's own separators part it, and it has five components at most (PS3.5 6.2).
_components = texts.filter(lambda text: not set(text) & set("^="))
names = st.lists(_components, min_size=1, max_size=5).map(lambda parts: "^".join(parts).rstrip("^"))
_dates = st.one_of(st.just(""), st.dates().map(lambda day: f"{day:%Y%m%d}".zfill(8)))


@st.composite
def orders(draw: st.DrawFn) -> OrderMessage:
    message_type = draw(st.sampled_from(TYPES))
    drawn = {field.name: draw(texts) for field in fields(OrderMessage)}
    report = message_type == "ORU^R01"
    return OrderMessage(
        **drawn
        | {
            "message_type": message_type,
            "version": hl7_messages.VERSIONS[message_type],
            "sender": f"{draw(texts.filter(lambda text: '|' not in text))}|{draw(texts)}",
            "patient_name": draw(names),
            "patient_birth_date": draw(_dates),
        }
        | ({"order_control": "NW", "order_status": "", "study_instance_uid": ""} if report else {})
    )


# --- round trips -------------------------------------------------------------------------------------


@given(orders())
@example(replace(ORDER, accession_number="\\F\\", placer_order_number="\\E\\X0D\\E\\", filler_order_number="a\nb\rc"))
@example(replace(ORDER, patient_name="陳^大文", patient_id="&~^|\\"))
@steady
def test_an_order_is_read_back_whatever_stands_in_it(order: OrderMessage) -> None:
    assert hl7_messages.read_order(hl7_messages.build_order(order, Envelope(SENT_AT))) == order


@given(orders())
@steady
def test_a_message_has_the_segments_of_its_type_and_no_other(order: OrderMessage) -> None:
    segments = {
        "ORM^O01": ["MSH", "PID", "ORC", "OBR", "ZDS"],
        "OMI^O23": ["MSH", "PID", "ORC", "OBR", "IPC"],
        "ORU^R01": ["MSH", "PID", "OBR", "OBX"],
    }
    raw = hl7_messages.build_order(order, Envelope(SENT_AT))
    assert raw.endswith(b"\r")
    assert [line[:3].decode() for line in raw.split(b"\r")[:-1]] == segments[order.message_type]


@pytest.mark.parametrize("message_type", TYPES)
def test_every_key_stands_where_the_framework_wants_it(message_type: str) -> None:
    order = replace(ORDER, message_type=message_type, version=hl7_messages.VERSIONS[message_type])
    lines = hl7_messages.build_order(order, Envelope(SENT_AT)).decode().split("\r")[:-1]
    of = {line[:3]: line.split("|") for line in lines}
    assert of["MSH"][8] == message_type
    assert of["MSH"][11] == order.version
    assert (of["PID"][3], of["PID"][5], of["PID"][7], of["PID"][8]) == ("A1234563", "CHAN^TAI MAN", "19700131", "M")
    if message_type == "OMI^O23":
        assert (of["IPC"][1], of["IPC"][2], of["IPC"][3], of["IPC"][5]) == (
            "XXXXR0700000101H",
            "RP1",
            "1.2.3",
            "CT",
        )
    else:
        assert (of["OBR"][18], of["OBR"][19], of["OBR"][24]) == ("XXXXR0700000101H", "RP1", "CT")
    if message_type == "ORM^O01":
        assert of["ZDS"][1].split("^")[0] == "1.2.3"
    if message_type == "ORU^R01":
        assert (of["OBR"][2], of["OBR"][3]) == ("P1", "F1")
    else:
        assert (of["ORC"][1], of["ORC"][2], of["ORC"][3]) == ("NW", "P1", "F1")


# --- reading what others write -----------------------------------------------------------------------


def test_a_message_as_an_information_system_writes_it() -> None:
    assert hl7_messages.read_order(joined(*MESSAGE)) == replace(ORDER, patient_id="HKID:A123456(3)")


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r", "\n\n"])
def test_any_line_end_parts_segments(end: str) -> None:
    assert hl7_messages.read_order(joined(*MESSAGE, end=end)) == hl7_messages.read_order(joined(*MESSAGE))


def test_a_short_header_before_line_feeds_has_no_character_set() -> None:
    """Counted over the line end, the 18th field would be one of PID's."""
    short = "MSH|^~\\&|RIS|FACILITY|||||ORM^O01|MSG1|P|2.3.1"
    pid = "PID|1|2|A1234563|4|CHAN^TAI MAN|MOTHER|19700131|M"
    assert hl7_messages.read_order(joined(short, pid, *MESSAGE[2:], end="\n")).patient_name == "CHAN^TAI MAN"


@pytest.mark.parametrize(
    ("xpn", "pn"),
    [
        ("CHAN^TAI MAN", "CHAN^TAI MAN"),
        ("CHAN^TAI MAN^DAVID^JR^DR", "CHAN^TAI MAN^DAVID^DR^JR"),  # XPN: suffix, prefix; PN: prefix, suffix
        ("CHAN^^^^DR", "CHAN^^^DR"),
        ("CHAN^^^JR", "CHAN^^^^JR"),
        ("CHAN", "CHAN"),
        ("CHAN&VAN^TAI MAN", "CHAN^TAI MAN"),  # FN: only the surname itself
        ("CHAN^TAI MAN~OTHER^NAME", "CHAN^TAI MAN"),
        ("CHAN ^ TAI MAN", "CHAN^TAI MAN"),
        ("", ""),
    ],
)
def test_a_name_is_turned_from_xpn_into_pn(xpn: str, pn: str) -> None:
    raw = joined(MESSAGE[0], f"PID|1||A1234563||{xpn}||19700131|M", *MESSAGE[2:])
    assert hl7_messages.read_order(raw).patient_name == pn


@pytest.mark.parametrize(
    ("field", "date"),
    [("19700131", "19700131"), ("197001312359+0800", "19700131"), ("1970", "1970"), ("", ""), ('""', "")],
)
def test_a_birth_date_may_have_a_time(field: str, date: str) -> None:
    raw = joined(MESSAGE[0], f"PID|1||A1234563||CHAN||{field}|M", *MESSAGE[2:])
    assert hl7_messages.read_order(raw).patient_birth_date == date


@pytest.mark.parametrize("identifier", ["HKID:A1234563", "A123456(3)", "a1234563", "HKID:  A1234563"])
def test_an_identifier_is_left_as_it_stands(identifier: str) -> None:
    raw = joined(MESSAGE[0], f"PID|1||{identifier}^^^HA||CHAN||19700131|M", *MESSAGE[2:])
    assert hl7_messages.read_order(raw).patient_id == identifier


def test_a_message_type_may_name_its_structure() -> None:
    raw = joined(MESSAGE[0].replace("ORM^O01", "ORM^O01^ORM_O01"), *MESSAGE[1:])
    assert hl7_messages.read_order(raw).message_type == "ORM^O01"


def test_other_separators_are_read_as_the_header_says() -> None:
    other = [segment.translate(str.maketrans("|^~&", "#@!%")) for segment in MESSAGE]
    assert hl7_messages.read_order(joined(*other)) == hl7_messages.read_order(joined(*MESSAGE))


@pytest.mark.parametrize(
    ("escaped", "plain"),
    [
        ("A\\T\\B", "A&B"),
        ("\\E\\T\\E\\", "\\T\\"),
        ("\\XE999B3\\", "陳"),
        ("\\.br\\A", "A"),
        ("\\H\\A\\N\\", "A"),
        ("A\\B", "A\\B"),
        ("\\.spx\\A", "A"),
    ],
)
def test_escape_sequences(escaped: str, plain: str) -> None:
    raw = joined(*MESSAGE[:3], MESSAGE[3].replace("RP1", escaped), MESSAGE[4])
    assert hl7_messages.read_order(raw).requested_procedure_id == plain


@pytest.mark.parametrize(
    ("declared", "codec"),
    [
        ("", "utf-8"),
        ("ASCII", "utf-8"),
        ("UNICODE UTF-8", "utf-8"),
        ("unicode utf-8", "utf-8"),
        ("UNICODE UTF-8~GB 18030-2000", "utf-8"),
        ("GB 18030-2000", "gb18030"),
        ("BIG-5", "big5hkscs"),
    ],
)
@pytest.mark.parametrize("end", ["\r", "\n"])
def test_a_message_is_read_in_its_character_set(declared: str, codec: str, end: str) -> None:
    header = f"{MESSAGE[0]}||||||{declared}"
    pid = "PID|1||A1234563||陳^大文||19700131|M"
    raw = joined(header, pid, *MESSAGE[2:], end=end, codec=codec)
    assert hl7_messages.read_order(raw).patient_name == "陳^大文"


def test_latin_letters_are_read_in_latin_1() -> None:
    pid = "PID|1||A1234563||MÜLLER||19700131|M"
    raw = joined(f"{MESSAGE[0]}||||||8859/1", pid, *MESSAGE[2:], codec="latin-1")
    assert hl7_messages.read_order(raw).patient_name == "MÜLLER"


@pytest.mark.parametrize("declared", ["KLINGON", "UNICODE", "8859/15"])
def test_an_unknown_character_set_is_named(declared: str) -> None:
    with pytest.raises(Hl7ParseError, match=f"MSH-18 declares the character set '{declared}'; known: ASCII"):
        hl7_messages.read_order(joined(f"{MESSAGE[0]}||||||{declared}", *MESSAGE[1:]))


def test_text_that_is_not_in_its_character_set_is_refused() -> None:
    pid = "PID|1||A1234563||陳^大文||19700131|M"
    with pytest.raises(Hl7ParseError, match="MSH-18"):
        hl7_messages.read_order(joined(MESSAGE[0], pid, *MESSAGE[2:], codec="gb18030"))


# --- what is missing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["PID", "ORC", "OBR"])
def test_a_missing_segment_is_named(name: str) -> None:
    with pytest.raises(Hl7ParseError, match=f"segment {name} is missing"):
        hl7_messages.read_order(without(name))


def test_an_imaging_order_needs_ipc() -> None:
    raw = joined(MESSAGE[0].replace("ORM^O01", "OMI^O23"), *MESSAGE[1:])
    with pytest.raises(Hl7ParseError, match="segment IPC is missing"):
        hl7_messages.read_order(raw)


def test_an_order_without_zds_has_no_study_uid() -> None:
    assert hl7_messages.read_order(without("ZDS")) == replace(
        ORDER, patient_id="HKID:A123456(3)", study_instance_uid=""
    )


def test_segments_without_fields_are_empty() -> None:
    order = hl7_messages.read_order(joined(MESSAGE[0], "PID", "ORC", "OBR", "ZDS"))
    assert (order.patient_id, order.patient_name, order.accession_number, order.order_control) == ("", "", "", "")


@pytest.mark.parametrize("message_type", ["ADT^A08", "", "ORM", "ACK"])
def test_another_message_type_is_no_order(message_type: str) -> None:
    with pytest.raises(Hl7ParseError, match="an order comes as ORM\\^O01, OMI\\^O23, ORU\\^R01"):
        hl7_messages.read_order(joined(MESSAGE[0].replace("ORM^O01", message_type), *MESSAGE[1:]))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"MSH",
        b"MSH|",
        b"MSH\rabcdef",
        b"MSH|^~\\&",
        b"MSH|^^\\&|RIS",
        b"MSH||||||||",
        b"MSH|^~|RIS",
        b"MSHA^~\\&A",
        b"msh|^~\\&|",
        b"PID|1||A",
        b"\x0bMSH|^~\\&|",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_message_is_refused(raw: bytes) -> None:
    for read in (hl7_segments.read_header, hl7_messages.read_order, hl7_acknowledgements.read_acknowledgement):
        with pytest.raises(Hl7ParseError):
            read(raw)


_heads = st.sampled_from((b"", b"MSH", b"MSH|^~\\&|", joined(MESSAGE[0]), joined(*MESSAGE)))
_pieces = st.lists(
    st.sampled_from(
        [b"|", b"^", b"~", b"\\", b"&", b"\r", b"\n", b"MSH", b"PID", b"ORC", b"OBR", b"ZDS", b"MSA", b"ERR", b"X0",
         b".sp", b"ORM", b"O01", b"\xff", b" ", b'""', "陳".encode()]
    ),
    max_size=30,
).map(b"".join)  # fmt: skip


@given(_heads, st.one_of(st.binary(max_size=60), _pieces))
@example(b"MSH|^~\\&||", b"\r\n\r\nOBR")
@example(b"MSH|", b"\r\nOBR")
@example(b"MSH|^~\\&|||||||ORM^O01||P|2.3.1\r", b"PID\r|\rORC|\\.spx\\\rOBR")
@steady
def test_garbage_is_refused_and_nothing_else(head: bytes, tail: bytes) -> None:
    refusals = []
    for read in (hl7_segments.read_header, hl7_messages.read_order, hl7_acknowledgements.read_acknowledgement):
        with suppress(Hl7ParseError):
            read(head + tail)
            continue
        refusals.append(read)
    # What has no header has nothing else either.
    assert hl7_segments.read_header not in refusals or len(refusals) == 3


# --- acknowledgements --------------------------------------------------------------------------------

headers = st.builds(
    Header,
    sending_application=texts,
    sending_facility=texts,
    receiving_application=texts,
    receiving_facility=texts,
    message_type=st.sampled_from((*TYPES, "ACK", "", "ADT^A08")),
    control_id=texts,
    processing_id=st.sampled_from(("", "P", "T")),
    version=st.sampled_from(("", "2.3.1", "2.5.1")),
)


@given(headers, st.sampled_from(("AE", "AR")), texts.filter(bool))
@steady
def test_an_acknowledgement_is_read_back(header: Header, code: str, text: str) -> None:
    raw = hl7_acknowledgements.build_acknowledgement(header, code, Fault(text), "ACK1", SENT_AT)
    answer = hl7_acknowledgements.read_acknowledgement(raw)
    assert (answer.code, answer.control_id, answer.text) == (code, header.control_id, text)


@given(headers)
@steady
def test_an_acknowledgement_goes_back_the_way_the_message_came(header: Header) -> None:
    back = hl7_segments.read_header(hl7_acknowledgements.build_acknowledgement(header, "AA", None, "ACK1", SENT_AT))
    assert (back.sending_application, back.sending_facility) == (
        header.receiving_application,
        header.receiving_facility,
    )
    assert (back.receiving_application, back.receiving_facility) == (
        header.sending_application,
        header.sending_facility,
    )
    assert back.message_type.split("^")[0] == "ACK"
    assert back.message_type.partition("^")[2] == header.message_type.partition("^")[2]
    assert (back.control_id, back.version) == ("ACK1", header.version or "2.3.1")


def test_the_acknowledgement_of_what_had_no_header() -> None:
    raw = hl7_acknowledgements.build_acknowledgement(None, "AR", Fault("not HL7"), "ACK1", SENT_AT)
    assert hl7_acknowledgements.read_acknowledgement(raw) == hl7_acknowledgements.Acknowledgement("AR", "", "not HL7")
    assert [line[:3] for line in raw.split(b"\r")[:-1]] == [b"MSH", b"MSA", b"ERR"]


def test_a_success_has_no_error_segment() -> None:
    raw = hl7_acknowledgements.build_acknowledgement(None, "AA", None, "ACK1", SENT_AT)
    assert [line[:3] for line in raw.split(b"\r")[:-1]] == [b"MSH", b"MSA"]


def test_the_text_of_an_acknowledgement_may_stand_in_err() -> None:
    head = MESSAGE[0].replace("ORM^O01", "ACK")
    later = joined(head, "MSA|AE|MSG1", "ERR||PID^1^3|101^Required field missing|E||||PID-3 is empty")
    assert hl7_acknowledgements.read_acknowledgement(later).text == "PID-3 is empty"
    earlier = joined(head, "MSA|AE|MSG1", "ERR|PID^1^3")
    assert hl7_acknowledgements.read_acknowledgement(earlier).text == "PID"


def test_an_order_is_no_acknowledgement() -> None:
    with pytest.raises(Hl7ParseError, match="segment MSA is missing"):
        hl7_acknowledgements.read_acknowledgement(joined(*MESSAGE))


@pytest.mark.parametrize("message_type", list(hl7_messages.VERSIONS))
def test_a_message_about_two_orders_is_refused_and_not_half_read(message_type: str) -> None:
    one = replace(ORDER, message_type=message_type, version=hl7_messages.VERSIONS[message_type])
    first = hl7_messages.build_order(one, Envelope(SENT_AT))
    second = hl7_messages.build_order(replace(one, accession_number="SYNCT2500000102H"), Envelope(SENT_AT))
    order_of_second = second[second.index(b"OBR" if message_type == "ORU^R01" else b"ORC") :]
    with pytest.raises(Hl7ParseError, match="more than one order"):
        hl7_messages.read_order(first + order_of_second)
    with pytest.raises(Hl7ParseError, match="more than one message"):
        hl7_segments.read_header(first + second)


# --- where the accession number stands ---------------------------------------------------------------

LOCATIONS = [
    (message_type, location)
    for message_type in TYPES
    for location in hl7_messages.ACCESSION_LOCATIONS
    if (location != "IPC-1" or message_type == "OMI^O23") and (location[:3] != "ORC" or message_type != "ORU^R01")
]


@pytest.mark.parametrize(("message_type", "location"), LOCATIONS)
def test_an_accession_number_is_read_where_the_site_puts_it(message_type: str, location: str) -> None:
    order = replace(ORDER, message_type=message_type, version=hl7_messages.VERSIONS[message_type])
    raw = hl7_messages.build_order(order, Envelope(SENT_AT), location)
    assert hl7_messages.read_order(raw, location).accession_number == ORDER.accession_number
    [segment] = [line for line in raw.decode().split("\r") if line.startswith(location[:3])]
    assert segment.split("|")[int(location.partition("-")[2])] == ORDER.accession_number


@pytest.mark.parametrize("message_type", TYPES)
def test_the_usual_place_depends_on_the_message_type(message_type: str) -> None:
    order = replace(ORDER, message_type=message_type, version=hl7_messages.VERSIONS[message_type])
    usual = "IPC-1" if message_type == "OMI^O23" else "OBR-18"
    assert hl7_messages.accession_location(message_type) == usual
    assert hl7_messages.build_order(order, Envelope(SENT_AT)) == hl7_messages.build_order(
        order, Envelope(SENT_AT), usual
    )


def test_a_segment_that_the_message_has_not_is_named() -> None:
    with pytest.raises(Hl7ParseError, match="segment IPC is missing"):
        hl7_messages.read_order(joined(*MESSAGE), "IPC-1")


def test_two_orders_are_told_apart_by_the_place_of_the_site() -> None:
    second = [MESSAGE[2].replace("F1", "F2"), MESSAGE[3].replace("F1", "F2")]
    assert hl7_messages.read_order(joined(*MESSAGE[:4], *second)).accession_number == ORDER.accession_number
    with pytest.raises(Hl7ParseError, match="more than one order"):
        hl7_messages.read_order(joined(*MESSAGE[:4], *second), "OBR-3")


def test_a_message_may_ask_for_the_enhanced_mode() -> None:
    raw = hl7_messages.build_order(ORDER, Envelope(SENT_AT, "AL", "ER"))
    header = hl7_segments.read_header(raw)
    assert (header.accept_acknowledgement, header.application_acknowledgement) == ("AL", "ER")
    assert header.character_set == "UNICODE UTF-8"
