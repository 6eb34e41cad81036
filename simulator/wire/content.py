"""What an instance says, whatever transfer syntax it says it in (PS3.5 Annex A).

Two encodings of one instance differ in their bytes: VRs written or not, byte order, lengths defined or not, deflated,
pixel data compressed without loss. `digest` is the same for them, and another for anything that reads differently.
Pixel data that was compressed with loss counts as the bytes it is: nobody can tell whose pixels it once was.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import imagecodecs
import numpy as np
import xxhash
from pydicom.datadict import dictionary_VR
from pydicom.encaps import generate_frames

from simulator.errors import NotDicom
from simulator.wire import data_set
from simulator.wire.data_set import IMPLICIT_LITTLE, Encoding, element_header, encoding_of, is_sequence

_PLANAR_CONFIGURATION = 0x00280006
_DERIVATION_DESCRIPTION = 0x00082111
# What only says how the rest is encoded: extended offset tables and padding, the order of samples, and the text in
# which a compressor that loses nothing tells of itself (DCMTK's does).
_ENCODING_ALONE = frozenset((0x7FE00001, 0x7FE00002, 0xFFFCFFFC, _PLANAR_CONFIGURATION, _DERIVATION_DESCRIPTION))
_ABOUT_PIXELS = frozenset(
    (
        data_set.SAMPLES_PER_PIXEL,
        data_set.PHOTOMETRIC_INTERPRETATION,
        data_set.NUMBER_OF_FRAMES,
        data_set.ROWS,
        data_set.COLUMNS,
        data_set.BITS_ALLOCATED,
        _PLANAR_CONFIGURATION,
    )
)
_ITEM_END, _SEQUENCE_END = 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_TEXT = frozenset(
    ("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT")
)
_WIDTHS = {
    **dict.fromkeys((b"US", b"SS", b"OW", b"AT"), 2),
    **dict.fromkeys((b"UL", b"SL", b"FL", b"OF", b"OL"), 4),
    **dict.fromkeys((b"FD", b"OD", b"OV", b"SV", b"UV"), 8),
}
_RLE = "1.2.840.10008.1.2.5"
_CODECS = {
    "1.2.840.10008.1.2.4.57": imagecodecs.jpeg8_decode,
    "1.2.840.10008.1.2.4.70": imagecodecs.jpeg8_decode,
    "1.2.840.10008.1.2.4.80": imagecodecs.jpegls_decode,
    "1.2.840.10008.1.2.4.90": imagecodecs.jpeg2k_decode,
}


def digest(data: bytes, transfer_syntax_uid: str) -> str:
    """Return a digest (see `data_set.digest`) of what the data set says. Raises `NotDicom` when it cannot be read."""
    reading = _Reading(data_set.plain(data, transfer_syntax_uid), transfer_syntax_uid)
    for part in reading.told():
        reading.hash.update(part)
    return reading.hash.hexdigest()


@dataclass
class _Reading:
    """One walk through one data set."""

    data: bytes
    transfer_syntax_uid: str
    hash: xxhash.xxh3_128 = field(default_factory=xxhash.xxh3_128)
    pixels: dict[int, bytes] = field(default_factory=dict)

    def told(self) -> Iterator[bytes]:
        """Yield the data set in an encoding that is the same for all transfer syntaxes."""
        position, encoding = 0, encoding_of(self.transfer_syntax_uid)
        while position < len(self.data):
            parts, position = self._element(position, len(self.data), encoding, top=True)
            yield from parts

    def _element(self, position: int, limit: int, encoding: Encoding, *, top: bool = False) -> tuple[list[bytes], int]:
        """Return an element as it is told, and the position after it."""
        tag, start, length, vr = element_header(self.data, position, limit, encoding)
        name = tag.to_bytes(4, "big")
        known = _dictionary_vr(tag)
        if length == _UNDEFINED or vr == b"SQ" or (vr in (b"", b"UN") and is_sequence(tag)):
            end = limit if length == _UNDEFINED else start + length
            if tag == data_set.PIXEL_DATA:
                end = self._after_fragments(start, limit, encoding)
                return [name, *self._compressed(self.data[start:end], encoding)], end
            parts, position = self._items(start, end, IMPLICIT_LITTLE if vr == b"UN" else encoding)
            return [name, b"(", *parts, b")"], position
        end = start + length
        if end > limit:
            raise NotDicom(f"truncated: {data_set.tag_text(tag)} needs {length} bytes (byte {position})")
        value = _little_endian(self.data[start:end], vr, encoding)
        if known in _TEXT:
            value = value.rstrip(b" \0")
        if top and tag in _ABOUT_PIXELS:
            self.pixels[tag] = value
        if tag & 0xFFFF == 0 or tag in _ENCODING_ALONE:
            return [], end
        if top and tag == data_set.PIXEL_DATA:
            return [name, *self._native(value)], end
        if tag == data_set.PHOTOMETRIC_INTERPRETATION and value == b"YBR_RCT":
            value = b"RGB"  # without loss, and as decoders give it
        return [name, len(value).to_bytes(4, "big"), value], end

    def _items(self, position: int, limit: int, encoding: Encoding) -> tuple[list[bytes], int]:
        """Return the items of a sequence that ends at its delimiter, or at `limit`."""
        parts: list[bytes] = []
        while position < limit:
            tag, start, length, _ = element_header(self.data, position, limit, encoding)
            if tag == _SEQUENCE_END:
                return parts, start
            end = limit if length == _UNDEFINED else start + length
            position = start
            parts.append(b"[")
            while position < end:
                tag, start, _, _ = element_header(self.data, position, end, encoding)
                if tag == _ITEM_END:
                    position = start
                    break
                more, position = self._element(position, end, encoding)
                parts.extend(more)
            parts.append(b"]")
        return parts, position

    def _after_fragments(self, position: int, limit: int, encoding: Encoding) -> int:
        while True:
            tag, start, length, _ = element_header(self.data, position, limit, encoding)
            if tag == _SEQUENCE_END:
                return start
            position = start + length

    # --- pixel data ----------------------------------------------------------------------------------

    def _native(self, value: bytes) -> Iterator[bytes]:
        """Yield native pixel data with the samples of a pixel side by side, without what pads it."""
        whole = self._number(data_set.ROWS) * self._number(data_set.COLUMNS) * self._samples * self._frames
        size = whole * self._number(data_set.BITS_ALLOCATED) // 8
        value = value[:size] if 0 < size < len(value) else value
        if self._samples > 1 and self._number(_PLANAR_CONFIGURATION) == 1 and len(value) == size:
            shape = (self._frames, self._samples, -1, self._number(data_set.BITS_ALLOCATED) // 8)
            value = np.frombuffer(value, np.uint8).reshape(shape).swapaxes(1, 2).tobytes()
        yield value

    def _compressed(self, fragments: bytes, encoding: Encoding) -> Iterator[bytes]:
        """Yield pixel data that was compressed without loss as if it were native, else the fragments."""
        if self.transfer_syntax_uid != _RLE and self.transfer_syntax_uid not in _CODECS:
            yield fragments
            return
        try:
            for frame in generate_frames(fragments, number_of_frames=self._frames):
                yield self._decoded(frame)
        except Exception as error:  # each codec has errors of its own
            raise NotDicom(f"the pixel data cannot be decoded: {error}") from error

    def _decoded(self, frame: bytes) -> bytes:
        bits = self._number(data_set.BITS_ALLOCATED)
        if self.transfer_syntax_uid == _RLE:
            return _run_lengths(frame, bits // 8)
        samples = _CODECS[self.transfer_syntax_uid](frame)
        return bytes(samples.astype(f"<{samples.dtype.kind}{bits // 8}").tobytes())

    @property
    def _samples(self) -> int:
        return self._number(data_set.SAMPLES_PER_PIXEL) or 1

    @property
    def _frames(self) -> int:
        try:
            return int(self.pixels.get(data_set.NUMBER_OF_FRAMES) or b"1")
        except ValueError:
            return 1

    def _number(self, tag: int) -> int:
        return int.from_bytes(self.pixels.get(tag, b""), "little")


@lru_cache(maxsize=4096)
def _dictionary_vr(tag: int) -> str:
    try:
        return dictionary_VR(tag)
    except KeyError:
        return ""


def _run_lengths(frame: bytes, width: int) -> bytes:
    """Return a frame of RLE (PS3.5 Annex G): a segment for each byte of each sample, the most significant first."""
    count, *offsets = struct.unpack_from("<16I", frame)
    ends = [*offsets[1:count], len(frame)]
    segments = [imagecodecs.packbits_decode(frame[a:b]) for a, b in zip(offsets[:count], ends, strict=True)]
    pixels = min(map(len, segments))  # a segment may be padded
    planes = np.stack([np.frombuffer(segment[:pixels], np.uint8) for segment in segments])
    return planes.reshape(-1, width, pixels)[:, ::-1].transpose(2, 0, 1).tobytes()


def _little_endian(value: bytes, vr: bytes, encoding: Encoding) -> bytes:
    width = _WIDTHS.get(vr, 1)
    if encoding.tag.format[0] != ">" or width == 1 or len(value) % width:
        return value
    return np.frombuffer(value, f">u{width}").astype(f"<u{width}").tobytes()
