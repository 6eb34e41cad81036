"""Writes conversations as a capture file (libpcap 2.4, raw IP) that any analyser of network traffic opens. Pure.

What is in it is made from what a relay saw, not taken off a wire: bytes, times, order and endings are true; how they
were cut into packets, and the acknowledgements between them, are the file's own. Bytes that were not kept are packets
that were not captured whole, as with any limit on what is captured of a packet.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import merge
from ipaddress import IPv4Address, IPv6Address, ip_address
from operator import attrgetter

from simulator.wire.conversation import Conversation, Ending, Segment, Side

LONGEST = 32 * 1024
"""Bytes of a conversation in one packet."""

_MAGIC = 0xA1B2C3D4  # times in microseconds, numbers in the byte order that it shows
_SNAPSHOT = 262144
_RAW_IP = 101  # LINKTYPE_RAW: IPv4 or IPv6, as the first four bits say
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIN, _SYN, _RST, _PSH, _ACK = 0x01, 0x02, 0x04, 0x08, 0x10
_TCP = 6
_HOPS = 64
_NOT_FRAGMENTED = 0x4000
# Of a SYN (RFC 9293 3.2, RFC 7323 2.2): the longest segment, and a window that holds whatever is on its way.
_SYN_OPTIONS = struct.pack(">BBHBBBB", 2, 4, LONGEST, 1, 3, 3, 14)
_WINDOW = 0xFFFF
_OTHER: dict[Side, Side] = {"requestor": "acceptor", "acceptor": "requestor"}

_Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class _Packet:
    """A packet. at: microseconds since 1970. length: of its data, of which `data` was kept."""

    at: int
    by: Side
    flags: int
    sequence: int
    acknowledged: int
    data: bytes = b""
    length: int = 0


def encoded(*conversations: Conversation) -> bytes:
    """Return a capture file of these conversations, packets in the order of their times."""
    head = struct.pack("<LHHlLLL", _MAGIC, 2, 4, 0, 0, _SNAPSHOT, _RAW_IP)
    written = merge(*(_records(each) for each in conversations), key=lambda record: record[0])
    return head + b"".join(record for _, record in written)


def _records(conversation: Conversation) -> Iterator[tuple[int, bytes]]:
    """Yield the time of each packet and its record."""
    layout = _layout(conversation)
    for number, packet in enumerate(_Flow(conversation).packets()):
        captured, length = layout.packet(packet, number)
        seconds, microseconds = divmod(packet.at, 1_000_000)
        yield packet.at, struct.pack("<LLLL", seconds, microseconds, len(captured), length) + captured


@dataclass(slots=True)
class _Flow:
    """A conversation as TCP: the sequence numbers that it has come to, each side's first byte being number 1."""

    conversation: Conversation
    sent: dict[Side, int] = field(default_factory=lambda: {"requestor": 0, "acceptor": 0})

    def packets(self) -> Iterator[_Packet]:
        """Yield its packets, in their order; none where no connection was asked for."""
        unreached = self.conversation.unreached
        if unreached in ("unresolved", "unroutable"):
            return
        yield self._packet(0, "requestor", _SYN)
        if unreached == "silent":
            return
        if unreached:
            yield self._packet(0, "acceptor", _RST | _ACK)
            return
        yield self._packet(0, "acceptor", _SYN | _ACK)
        yield self._packet(0, "requestor", _ACK)
        happened: list[Segment | Ending] = [*self.conversation.segments, *self.conversation.endings]
        for each in sorted(happened, key=attrgetter("at")):
            yield from self._ending(each) if isinstance(each, Ending) else self._said(each)

    def _said(self, segment: Segment) -> Iterator[_Packet]:
        for start in range(0, segment.length, LONGEST):
            length = min(LONGEST, segment.length - start)
            flags = _ACK | (_PSH if start + length == segment.length else 0)
            yield self._packet(segment.at, segment.by, flags, segment.data[start : start + length], length)

    def _ending(self, ending: Ending) -> Iterator[_Packet]:
        if ending.how == "rst":
            yield self._packet(ending.at, ending.by, _RST | _ACK)
            return
        yield self._packet(ending.at, ending.by, _FIN | _ACK)
        yield self._packet(ending.at, _OTHER[ending.by], _ACK)

    def _packet(self, at: float, by: Side, flags: int, data: bytes = b"", length: int = 0) -> _Packet:
        opened = (datetime.fromisoformat(self.conversation.opened) - _EPOCH) // timedelta(microseconds=1)
        acknowledged = self.sent[_OTHER[by]] if flags & _ACK else 0
        sequence = self.sent[by]
        self.sent[by] += length + bool(flags & (_SYN | _FIN))
        return _Packet(opened + round(at * 1_000_000), by, flags, sequence % 2**32, acknowledged % 2**32, data, length)


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the packets of a conversation are written: from which address and port to which."""

    addresses: dict[Side, _Address]
    ports: dict[Side, int]

    def packet(self, packet: _Packet, number: int) -> tuple[bytes, int]:
        """Return as much of a packet as was kept, and how long it was."""
        options = _SYN_OPTIONS if packet.flags & _SYN else b""
        by, to = packet.by, _OTHER[packet.by]
        head = struct.pack(
            ">HHLLBBHHH",
            self.ports[by],
            self.ports[to],
            packet.sequence,
            packet.acknowledged,
            (20 + len(options)) // 4 << 4,
            packet.flags,
            _WINDOW,
            0,
            0,
        )
        head += options
        length = len(head) + packet.length
        between = self.addresses[by].packed + self.addresses[to].packed
        # Of a packet that is not whole nobody can tell the checksum; none looks at it there.
        checksum = _checksum(between + struct.pack(">LL", length, _TCP) + head + packet.data)
        tcp = head[:16] + struct.pack(">H", checksum) + head[18:] + packet.data
        ip = self._ip_head(between, length, number)
        return ip + tcp, len(ip) + length

    def _ip_head(self, between: bytes, length: int, number: int) -> bytes:
        if self.addresses["requestor"].version == 6:
            return struct.pack(">LHBB", 6 << 28, length, _TCP, _HOPS) + between
        total, identification = 20 + length, number % 2**16
        head = struct.pack(">BBHHHBBH", 0x45, 0, total, identification, _NOT_FRAGMENTED, _HOPS, _TCP, 0) + between
        return head[:10] + struct.pack(">H", _checksum(head)) + head[12:]


def _layout(conversation: Conversation) -> _Layout:
    ends: dict[Side, tuple[str, int]] = {"requestor": conversation.requestor, "acceptor": conversation.acceptor}
    found = {side: _address(host) for side, (host, _) in ends.items()}
    version = max((address.version for address in found.values() if address), default=4)
    # A name has no address here, and IPv4 none beside IPv6: they stand as the address of nobody.
    nobody: _Address = IPv6Address(0) if version == 6 else IPv4Address(0)
    addresses = {side: each if each and each.version == version else nobody for side, each in found.items()}
    return _Layout(addresses, {side: port for side, (_, port) in ends.items()})


def _address(host: str) -> _Address | None:
    """Return an address, or None for a name: nobody knows which address it had."""
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _checksum(data: bytes) -> int:
    """Return the checksum of RFC 1071: a sum of 16-bit words with the carry added is a remainder by FFFFH."""
    return 0xFFFF - (int.from_bytes(data + b"\0" * (len(data) % 2)) % 0xFFFF or 0xFFFF)
