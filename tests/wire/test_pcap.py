"""Capture files, read back by a few lines that know the formats, and by the analyser that everybody has."""

from __future__ import annotations

import shutil
import struct
import subprocess
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.wire import pcap, pdu_builders
from simulator.wire.conversation import Conversation, Ending, Segment, Side
from simulator.wire.pdu_builders import message
from simulator.wire.recording import Recording
from simulator.wire.transcript import KEPT
from tests.wire.made import steady
from tests.wire.test_transcript import AC, ANSWER, RQ, STORE

Ends = tuple[tuple[str, int], tuple[str, int]]
IPV4: Ends = (("192.0.2.1", 40000), ("192.0.2.2", 11112))
IPV6: Ends = (("2001:db8::1", 40000), ("2001:db8::2", 11112))
OPENED = "2026-01-02T03:04:05.678901+00:00"
EMPTY = Conversation("CT01->gateway", 1, "DICOM", OPENED, *IPV4)
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


@dataclass(frozen=True)
class Packet:
    """A packet as it was read: seconds since 1970, who to whom, and the fields of TCP."""

    at: float
    source: tuple[str, int]
    sink: tuple[str, int]
    sequence: int
    acknowledged: int
    flags: int
    data: bytes
    length: int


def words_sum(data: bytes) -> int:
    """Return the sum of RFC 1071, word by word, FFFFH where a checksum is in it and is right."""
    total: int = sum(struct.unpack(f">{len(data) // 2 + len(data) % 2}H", data + b"\0" * (len(data) % 2)))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def read(file: bytes) -> list[Packet]:
    """Return the packets of a file. Fails where a length or checksum is wrong."""
    assert struct.unpack("<LHHlLLL", file[:24]) == (0xA1B2C3D4, 2, 4, 0, 0, 262144, 101)
    found, at = [], 24
    while at < len(file):
        seconds, microseconds, captured, length = struct.unpack("<LLLL", file[at : at + 16])
        assert captured <= length
        assert microseconds < 1_000_000
        found.append(packet(file[at + 16 : at + 16 + captured], length, seconds + microseconds / 1e6))
        at += 16 + captured
    assert at == len(file)
    return found


def packet(raw: bytes, length: int, at: float) -> Packet:
    if raw[0] >> 4 == 4:
        assert raw[0] == 0x45
        assert struct.unpack(">H", raw[2:4]) == (length,)
        assert raw[9] == 6
        assert words_sum(raw[:20]) == 0xFFFF
        addresses, tcp = raw[12:20], raw[20:]
        length -= 20
    else:
        assert raw[0] >> 4 == 6
        assert struct.unpack(">H", raw[4:6]) == (length - 40,)
        assert raw[6] == 6
        addresses, tcp = raw[8:40], raw[40:]
        length -= 40
    if len(tcp) == length:
        assert words_sum(addresses + struct.pack(">LL", length, 6) + tcp) == 0xFFFF
    source, sink, sequence, acknowledged, words, flags = struct.unpack(">HHLLBB", tcp[:14])
    head, half = (words >> 4) * 4, len(addresses) // 2
    ends = (str(ip_address(addresses[:half])), source), (str(ip_address(addresses[half:])), sink)
    return Packet(at, *ends, sequence, acknowledged, flags, tcp[head:], length - head)


def spoken(packets: list[Packet], source: tuple[str, int]) -> bytes:
    """Return what one end sent, by its sequence numbers."""
    return b"".join(each.data for each in packets if each.source == source)


segments = st.lists(
    st.tuples(st.sampled_from(("requestor", "acceptor")), st.integers(0, 90_000), st.integers(0, 1)), max_size=8
)
endings = st.sampled_from(
    (
        (),
        (("requestor", "fin"), ("acceptor", "fin")),
        (("acceptor", "fin"), ("acceptor", "rst")),
        (("requestor", "rst"),),
    )
)


@steady
@given(segments, endings, st.sampled_from((IPV4, IPV6)))
def test_a_file_says_what_the_conversation_says(
    said: list[tuple[Side, int, int]],
    ended: tuple[tuple[Side, str], ...],
    ends: tuple[tuple[str, int], tuple[str, int]],
) -> None:
    sent = [Segment(at / 8, by, bytes([at]) * size, size + 40_000 * cut) for at, (by, size, cut) in enumerate(said)]
    ending = [Ending(1 + at / 8, by, how) for at, (by, how) in enumerate(ended)]  # type: ignore[arg-type]
    there, back = ends
    conversation = Conversation("a->b", 1, "DICOM", OPENED, there, back, tuple(sent), tuple(ending))
    packets = read(pcap.encoded(conversation))
    assert spoken(packets, there) == conversation.said("requestor")
    assert spoken(packets, back) == conversation.said("acceptor")
    assert {each.at - packets[0].at for each in packets if each.length} <= {each.at for each in sent}
    follow_the_numbers(packets, there, back)
    closing = [(e.source, "rst" if e.flags & RST else "fin") for e in packets if e.flags & (FIN | RST)]
    assert closing == [({"requestor": there, "acceptor": back}[by], how) for by, how in ended]


def follow_the_numbers(packets: list[Packet], there: tuple[str, int], back: tuple[str, int]) -> None:
    """Check that sequence numbers and acknowledgements are those of a connection on which nothing is lost."""
    assert [each.flags for each in packets[:3]] == [SYN, SYN | ACK, ACK]
    sent = {there: 0, back: 0}
    for each in packets:
        assert {each.source, each.sink} == {there, back}
        assert each.sequence == sent[each.source]
        if each.flags & ACK:
            assert each.acknowledged == sent[each.sink]
        assert each.length <= pcap.LONGEST
        sent[each.source] += each.length + bool(each.flags & (SYN | FIN))


def test_times_are_those_of_the_conversation() -> None:
    conversation = replace(
        EMPTY, segments=(Segment(1.5, "requestor", b"x", 1),), endings=(Ending(2.25, "acceptor", "fin"),)
    )
    packets = read(pcap.encoded(conversation))
    assert packets[0].at == pytest.approx(1767323045.678901, abs=1e-6)
    assert [round(each.at - packets[0].at, 6) for each in packets] == [0, 0, 0, 1.5, 2.25, 2.25]


def test_conversations_are_merged_by_time() -> None:
    first = replace(EMPTY, segments=(Segment(2, "requestor", b"x", 1),))
    second = replace(first, requestor=("192.0.2.1", 40001), opened=OPENED.replace("05.67", "06.67"))
    packets = read(pcap.encoded(first, second))
    assert [each.at for each in packets] == sorted(each.at for each in packets)
    assert [each.source[1] for each in packets if each.flags & SYN and not each.flags & ACK] == [40000, 40001]
    assert pcap.encoded() == pcap.encoded(replace(first, unreached="unresolved", segments=()))


@pytest.mark.parametrize(
    ("unreached", "flags"), [("refused", [SYN, RST | ACK]), ("silent", [SYN]), ("unresolved", []), ("unroutable", [])]
)
def test_where_nobody_answers_the_file_shows_that(unreached: str, flags: list[int]) -> None:
    assert [each.flags for each in read(pcap.encoded(replace(EMPTY, unreached=unreached)))] == flags


@pytest.mark.parametrize(
    ("host", "written"), [("pacs.example.org", "0.0.0.0"), ("fe80::1%eth0", "fe80::1"), ("2001:db8::1", "2001:db8::1")]
)
def test_names_and_scopes_are_no_addresses(host: str, written: str) -> None:
    first, *_ = read(pcap.encoded(replace(EMPTY, acceptor=(host, 104))))
    assert first.sink == (written, 104)
    assert first.source[0] == ("::" if ":" in written else "192.0.2.1")


def test_numbers_go_on_beyond_four_gigabytes() -> None:
    said = (Segment(0, "requestor", b"", 2**32), Segment(1, "requestor", b"behind", 6))
    last = read(pcap.encoded(replace(EMPTY, segments=said)))[-1]
    assert (last.sequence, last.data) == (1, b"behind")


# --- as an analyser reads it ----------------------------------------------------------------------------


def stored(size: int, maximum: int) -> Conversation:
    """Return what is recorded of an association with two C-STOREs of that size."""
    recording = Recording(EMPTY, lambda *_: None)
    store = message(1, STORE, b"\x08\0\5\0CS\0\0" + bytes(size), maximum_length=maximum)
    answer = message(1, ANSWER)
    said: list[tuple[Side, bytes]] = [("requestor", RQ), ("acceptor", AC)]
    for _ in range(2):
        said += [("requestor", store[at : at + 100_000]) for at in range(0, len(store), 100_000)]
        said += [("acceptor", answer)]
    said += [("requestor", pdu_builders.release_rq()), ("acceptor", pdu_builders.release_rp())]
    for at, (by, data) in enumerate(said):
        recording.add(float(at), by, memoryview(data))
    recording.end(100, "requestor", "fin")
    recording.end(101, "acceptor", "fin")
    return recording.conversation()


def told(file: Path, *options: str) -> str:
    """Return what tshark says of a file."""
    if not (tshark := shutil.which("tshark")):
        pytest.skip("tshark is not installed")
    command = [tshark, "-n", "-r", str(file), "-d", "tcp.port==11112,dicom", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.mark.parametrize("ends", [IPV4, IPV6])
@pytest.mark.parametrize("maximum", [16384, 131072])
@pytest.mark.parametrize("size", [1000, KEPT * 10])
def test_tshark_reads_the_association(tmp_path: Path, size: int, maximum: int, ends: Ends) -> None:
    there, back = ends
    file = tmp_path / "association.pcap"
    file.write_bytes(pcap.encoded(replace(stored(size, maximum), requestor=there, acceptor=back)))
    checked = ("-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE")
    shown = told(file, *checked)
    for words in (
        "A-ASSOCIATE request RAWPEER --> HAGATEWAY",
        "A-ASSOCIATE accept",
        "A-RELEASE request",
        "A-RELEASE response",
    ):
        assert shown.count(words) == 1, shown
    assert shown.count("C-STORE-RQ ID=1") == 2
    assert shown.count("C-STORE-RSP ID=1 (Success)") == 2
    assert shown.count("[FIN, ACK]") == 2
    assert ("Packet size limited during capture" in shown) == (size > KEPT)
    assert told(file, *checked, "-Y", "tcp.checksum.status==0 || ip.checksum.status==0 || _ws.malformed") == ""
    assert told(file, "-Y", "tcp.analysis.flags") == ""


def test_tshark_sees_a_reset(tmp_path: Path) -> None:
    file = tmp_path / "reset.pcap"
    segments = (Segment(0, "requestor", RQ, len(RQ)),)
    file.write_bytes(pcap.encoded(replace(EMPTY, segments=segments, endings=(Ending(1, "acceptor", "rst"),))))
    shown = told(file)
    assert "11112 → 40000 [RST, ACK]" in shown
    assert "A-ASSOCIATE request" in shown
