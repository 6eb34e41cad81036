"""Decodes compressed Pixel Data (PS3.5 8.2 and A.4) into samples as they stand in a native data set.

Nothing is lost by it: samples are those that the codestream holds. Colour stays in the components that were
compressed (YBR_FULL for a JPEG that has Y, CB and CR, its chrominance brought to full width), since turning it
into RGB would round. The two transforms that belong to JPEG 2000 itself are undone by its decoder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
from pydicom.encaps import generate_frames

from simulator.errors import NotDicom
from simulator.wire import data_set
from simulator.wire.reencoding import Value

_PLANAR_CONFIGURATION = 0x00280006
_BITS_STORED = 0x00280101
_PIXEL_REPRESENTATION = 0x00280103
_LOSSY_IMAGE_COMPRESSION = 0x00282110
_OFFSETS_OF_FRAMES = (0x7FE00001, 0x7FE00002)  # Extended Offset Table and its lengths: for compressed data alone

_HARDCOPY_COLOR = "1.2.840.10008.5.1.1.30"  # its IOD wants colour by plane; everywhere else by pixel is read by all
_JPEG_BASELINE, _JPEG_EXTENDED = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"
_RLE = "1.2.840.10008.1.2.5"
_LOSSY = frozenset((_JPEG_BASELINE, _JPEG_EXTENDED))
_DECODED_COLOUR = {b"YBR_FULL_422": b"YBR_FULL", b"YBR_RCT": b"RGB", b"YBR_ICT": b"RGB"}

Samples = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class _Picture:
    """What the data set says of its pixels (PS3.3 C.7.6.3)."""

    frames: int
    rows: int
    columns: int
    samples: int
    allocated: int
    stored: int
    signed: bool
    by_plane: bool
    photometric: bytes

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.rows, self.columns) if self.samples == 1 else (self.rows, self.columns, self.samples)


def decompressed(data: bytes, transfer_syntax_uid: str) -> dict[int, Value | None]:
    """Return what stands in the data set when its Pixel Data is not compressed any more, by tag.

    Raises `NotDicom` when a frame cannot be decoded, or is not as the data set describes it.
    """
    decode = _DECODERS.get(transfer_syntax_uid)
    if decode is None:
        raise NotDicom("there is no decoder for it here")
    values = data_set.read(data, transfer_syntax_uid, _DESCRIBING)
    picture = _picture(values)
    frames = [
        _laid_out(_decoded(decode, frame, picture, number), picture)
        for number, frame in enumerate(_codestreams(data, transfer_syntax_uid, picture), 1)
    ]
    if len(frames) != picture.frames:
        raise NotDicom(f"Pixel Data has {len(frames)} frames, Number of Frames says {picture.frames}")
    pixels = b"".join(frames)
    vr = b"OW" if picture.allocated > 8 else b"OB"
    changes: dict[int, Value | None] = dict.fromkeys(_OFFSETS_OF_FRAMES)
    changes[data_set.PIXEL_DATA] = Value(vr, pixels + b"\0" * (len(pixels) % 2))
    if picture.samples > 1:
        colour = _DECODED_COLOUR.get(picture.photometric, picture.photometric)
        changes[data_set.PHOTOMETRIC_INTERPRETATION] = Value(b"CS", colour + b" " * (len(colour) % 2))
        changes[_PLANAR_CONFIGURATION] = Value(b"US", b"\x01\0" if picture.by_plane else b"\0\0")
    if transfer_syntax_uid in _LOSSY and values.get(_LOSSY_IMAGE_COMPRESSION, b"").strip() != b"01":
        # Without the transfer syntax nothing else would tell that samples were changed (PS3.3 C.7.6.1.1.5).
        changes[_LOSSY_IMAGE_COMPRESSION] = Value(b"CS", b"01")
    return changes


_DESCRIBING = frozenset(
    (
        data_set.SOP_CLASS_UID,
        data_set.SAMPLES_PER_PIXEL,
        data_set.PHOTOMETRIC_INTERPRETATION,
        _PLANAR_CONFIGURATION,
        data_set.NUMBER_OF_FRAMES,
        data_set.ROWS,
        data_set.COLUMNS,
        data_set.BITS_ALLOCATED,
        _BITS_STORED,
        _PIXEL_REPRESENTATION,
        _LOSSY_IMAGE_COMPRESSION,
        *_OFFSETS_OF_FRAMES,
    )
)


def _picture(values: Mapping[int, bytes]) -> _Picture:
    def number(tag: int, default: int | None = None) -> int:
        found = data_set.unsigned_short(values, tag, data_set.EXPLICIT_VR_LITTLE_ENDIAN)
        if found is None and default is None:
            raise NotDicom(f"{data_set.tag_text(tag)} is missing or not one number")
        return found if found is not None else default or 0

    frames = data_set.text(values, data_set.NUMBER_OF_FRAMES) or "1"
    if not (frames.isascii() and frames.isdigit()):
        raise NotDicom(f"Number of Frames is {frames!r}")
    allocated = number(data_set.BITS_ALLOCATED)
    if allocated not in (8, 16, 32):
        raise NotDicom(f"Bits Allocated is {allocated}")
    return _Picture(
        frames=int(frames),
        rows=number(data_set.ROWS),
        columns=number(data_set.COLUMNS),
        samples=number(data_set.SAMPLES_PER_PIXEL, 1),
        allocated=allocated,
        stored=number(_BITS_STORED, allocated),
        signed=number(_PIXEL_REPRESENTATION, 0) == 1,
        by_plane=data_set.text(values, data_set.SOP_CLASS_UID) == _HARDCOPY_COLOR,
        photometric=values.get(data_set.PHOTOMETRIC_INTERPRETATION, b"").strip(b" \0"),
    )


def _codestreams(data: bytes, transfer_syntax_uid: str, picture: _Picture) -> Iterator[bytes]:
    places = [e for e in data_set.elements(data, transfer_syntax_uid) if e.tag == data_set.PIXEL_DATA]
    if not places:
        raise NotDicom("there is no Pixel Data")
    place = places[0]
    try:
        yield from generate_frames(data[place.start : place.end], number_of_frames=picture.frames)
    except ValueError as error:
        raise NotDicom(f"the frames in Pixel Data cannot be told apart: {error}") from error


def _decoded(decode: Callable[[bytes, _Picture], Samples], frame: bytes, picture: _Picture, number: int) -> Samples:
    try:
        samples = decode(frame, picture)
    except (RuntimeError, ValueError, TypeError) as error:
        raise NotDicom(f"frame {number} cannot be decoded: {error}") from error
    if samples.shape != picture.shape:
        raise NotDicom(f"frame {number} is {samples.shape} in its codestream, the data set says {picture.shape}")
    if samples.dtype.itemsize * 8 > picture.allocated:
        raise NotDicom(f"frame {number} needs {samples.dtype.itemsize * 8} bits, Bits Allocated is {picture.allocated}")
    return samples


def _laid_out(samples: Samples, picture: _Picture) -> bytes:
    """Return one frame's samples in words of Bits Allocated, little-endian; a codestream's signs are extended."""
    word = np.dtype(f"<i{picture.allocated // 8}")
    wide = samples.astype(np.int64)
    if picture.signed and picture.stored < picture.allocated and int(wide.min()) >= 0 and not _beyond(wide, picture):
        sign = 1 << (picture.stored - 1)
        wide = (wide ^ sign) - sign
    if picture.by_plane and picture.samples > 1:
        wide = np.moveaxis(wide, -1, 0)
    return np.ascontiguousarray(wide, word).tobytes()


def _beyond(samples: Samples, picture: _Picture) -> bool:
    return bool(int(samples.max()) >> picture.stored)


def _rle(frame: bytes, picture: _Picture) -> Samples:
    planes = imagecodecs.dicomrle_decode(frame, f"<u{picture.allocated // 8}")
    samples = np.frombuffer(planes, f"<u{picture.allocated // 8}").reshape(
        picture.samples, picture.rows, picture.columns
    )
    return samples[0] if picture.samples == 1 else np.moveaxis(samples, 0, -1)


def _jpeg(frame: bytes, picture: _Picture) -> Samples:
    if picture.samples == 1:
        return imagecodecs.jpeg8_decode(frame)
    colour = "ycbcr" if picture.photometric.startswith(b"YBR") else "rgb"
    return imagecodecs.jpeg8_decode(frame, colorspace=colour, outcolorspace=colour)


def _jpeg_ls(frame: bytes, picture: _Picture) -> Samples:
    return imagecodecs.jpegls_decode(frame)


def _jpeg_2000(frame: bytes, picture: _Picture) -> Samples:
    return imagecodecs.jpeg2k_decode(frame)


_DECODERS: Mapping[str, Callable[[bytes, _Picture], Samples]] = {
    _JPEG_BASELINE: _jpeg,
    _JPEG_EXTENDED: _jpeg,
    "1.2.840.10008.1.2.4.57": _jpeg,
    "1.2.840.10008.1.2.4.70": _jpeg,
    "1.2.840.10008.1.2.4.80": _jpeg_ls,
    "1.2.840.10008.1.2.4.81": _jpeg_ls,
    "1.2.840.10008.1.2.4.90": _jpeg_2000,
    "1.2.840.10008.1.2.4.91": _jpeg_2000,
    _RLE: _rle,
}

DECODED = tuple(_DECODERS)
"""The transfer syntaxes that can be decompressed."""
