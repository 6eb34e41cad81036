"""Pixel data in the transfer syntaxes that images are made in (PS3.5 Annex A, section 8.2, Annex G).

The same version of a codec gives the same bytes. Another may give other bytes; where nothing is lost, their
pixels are the same. Each frame is one codestream, alone in one fragment.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

import imagecodecs
import jpeg_ls
import numpy as np
from pydicom.uid import UID

from simulator.synthesis.image_class import PixelFormat
from simulator.synthesis.pixels import Pixels


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """A transfer syntax (PS3.5 Annex A).

    uid, keyword: as in PS3.6 Table A-1. name: what people call it. encapsulated: whether Pixel Data is compressed,
    frame by frame; Deflated is not, as it compresses the whole data set. lossy: whether samples may change.
    """

    uid: str
    keyword: str
    name: str
    encapsulated: bool = False
    lossy: bool = False

    def __str__(self) -> str:
        return self.name


IMPLICIT_VR_LITTLE_ENDIAN: Final = TransferSyntax(
    "1.2.840.10008.1.2", "ImplicitVRLittleEndian", "Implicit VR Little Endian"
)
EXPLICIT_VR_LITTLE_ENDIAN: Final = TransferSyntax(
    "1.2.840.10008.1.2.1", "ExplicitVRLittleEndian", "Explicit VR Little Endian"
)
EXPLICIT_VR_BIG_ENDIAN: Final = TransferSyntax(
    "1.2.840.10008.1.2.2", "ExplicitVRBigEndian", "Explicit VR Big Endian (retired)"
)
DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN: Final = TransferSyntax(
    "1.2.840.10008.1.2.1.99", "DeflatedExplicitVRLittleEndian", "Deflated Explicit VR Little Endian"
)
RLE_LOSSLESS: Final = TransferSyntax("1.2.840.10008.1.2.5", "RLELossless", "RLE Lossless", encapsulated=True)
JPEG_BASELINE: Final = TransferSyntax(
    "1.2.840.10008.1.2.4.50", "JPEGBaseline8Bit", "JPEG Baseline (Process 1)", encapsulated=True, lossy=True
)
JPEG_LOSSLESS_SV1: Final = TransferSyntax(
    "1.2.840.10008.1.2.4.70", "JPEGLosslessSV1", "JPEG Lossless SV1", encapsulated=True
)
JPEG_LS_LOSSLESS: Final = TransferSyntax(
    "1.2.840.10008.1.2.4.80", "JPEGLSLossless", "JPEG-LS Lossless", encapsulated=True
)
JPEG_2000_LOSSLESS: Final = TransferSyntax(
    "1.2.840.10008.1.2.4.90", "JPEG2000Lossless", "JPEG 2000 Lossless", encapsulated=True
)

TRANSFER_SYNTAXES: Final = (
    IMPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    RLE_LOSSLESS,
    JPEG_BASELINE,
    JPEG_LOSSLESS_SV1,
    JPEG_LS_LOSSLESS,
    JPEG_2000_LOSSLESS,
)
"""All that images can be made in."""


def by_name(text: str) -> TransferSyntax:
    """Return the transfer syntax that `text` names: its UID, its keyword or a name, in any case.

    Names are those of PS3.6, with or without what follows their colon, and short ones ("RLE", "Explicit LE",
    "JPEG Baseline"). Only letters and digits count. Raises `KeyError` with the nearest names.
    """
    wanted = text.strip()
    found = _BY_UID.get(wanted) or _BY_NAME.get(_squashed(wanted))
    if found is None:
        raise KeyError(_unknown(wanted))
    return found


def refusal(syntax: TransferSyntax, pixels: PixelFormat) -> str | None:
    """Return why images of the format `pixels` cannot be in `syntax`, as a sentence; None where they can.

    A syntax that does not compress pixel data takes them all.
    """
    codec = _CODECS.get(syntax.uid)
    if codec is None:
        return None
    here = f"Bits Allocated {pixels.bits_allocated}, Bits Stored {pixels.bits_stored}, {pixels.photometric}"
    if pixels.bits_allocated not in codec.allocated:
        allocated = " or ".join(str(bits) for bits in codec.allocated)
        return f"{syntax} takes {allocated} Bits Allocated ({codec.source}); here: {here}"
    if pixels.bits_stored not in codec.stored:
        return f"{syntax} takes {_extent(codec.stored)} Bits Stored ({codec.source}); here: {here}"
    if codec.declares_precision and pixels.bits_stored <= 8 < pixels.bits_allocated:
        return f"{syntax} of 8 bits or fewer is read as bytes, so it needs 8 Bits Allocated; here: {here}"
    if syntax.lossy and pixels.photometric == "PALETTE COLOR":
        return f"{syntax} changes samples, and those of PALETTE COLOR are entries of a table ({codec.source})"
    if pixels.photometric not in _PHOTOMETRIC:
        return f"nothing but {', '.join(_PHOTOMETRIC)} can be compressed yet; here: {here}"
    return None


@dataclass(frozen=True, slots=True)
class Encapsulated:
    """Compressed Pixel Data (PS3.5 A.4).

    value: items from the Basic Offset Table, which has the offset of every frame, to the last fragment; the
    Sequence Delimitation Item that closes the element is the writer's. attributes: what is said of the picture
    otherwise than it would be of the same picture uncompressed.
    """

    value: bytes
    attributes: Mapping[str, Any]


def encapsulated(picture: Pixels, pixels: PixelFormat, syntax: TransferSyntax) -> Encapsulated:
    """Return `picture` compressed, one fragment a frame.

    picture: unsigned samples of `pixels.bits_stored` bits, as (rows, columns); for colour (rows, columns, samples),
    or by plane (samples, rows, columns); several frames along a leading axis. Codestreams declare
    `pixels.bits_stored` as their precision. Raises ValueError for what `refusal` tells, for a syntax that does not
    compress, for another shape, and for samples that do not fit.
    """
    if reason := refusal(syntax, pixels):
        raise ValueError(reason)
    if syntax.uid not in _CODECS:
        raise ValueError(f"{syntax} does not compress pixel data")
    if int(picture.max()) >> pixels.bits_stored:
        raise ValueError(f"a sample of {int(picture.max())} does not fit into {pixels.bits_stored} bits stored")
    codec = _CODECS[syntax.uid]
    # PS3.5 7.1.1 and A.4: even lengths; a codestream ends where its last marker says, so that NUL may follow.
    fragments = [_even(codec.encode(frame, pixels.bits_stored)) for frame in _frames(picture, pixels)]
    compressed = sum(map(len, fragments))
    return Encapsulated(
        _items(fragments), _colour(codec, pixels) | (_loss(picture.size / compressed) if syntax.lossy else {})
    )


# Of zlib's 1 to 9: on noisy slices 6 takes five times as long as 3, for no fewer bytes.
_EFFORT: Final = 3


def deflated(data_set: bytes) -> bytes:
    """Return `data_set`, encoded in Explicit VR Little Endian, deflated (RFC 1951) and even in length (PS3.5 A.5).

    Without the head and sum of zlib, so that nothing but the data set decides about the bytes.
    """
    compressor = zlib.compressobj(_EFFORT, zlib.DEFLATED, -zlib.MAX_WBITS)
    return _even(compressor.compress(data_set) + compressor.flush())


_ITEM: Final = struct.Struct("<HHI")


def _items(fragments: Sequence[bytes]) -> bytes:
    """Return the Basic Offset Table and `fragments`, each as an item (PS3.5 A.4)."""
    offsets, end = [], 0
    for fragment in fragments:
        offsets.append(end)
        end += _ITEM.size + len(fragment)
    table = struct.pack(f"<{len(offsets)}I", *offsets)
    return b"".join(_ITEM.pack(0xFFFE, 0xE000, len(content)) + content for content in (table, *fragments))


def _even(content: bytes) -> bytes:
    return content + b"\0" * (len(content) % 2)


def _frames(picture: Pixels, pixels: PixelFormat) -> Iterator[Pixels]:
    """Yield each frame as (rows, columns) or, in colour, (rows, columns, samples), as uint8 or uint16."""
    axes = 3 if pixels.samples > 1 else 2
    if picture.ndim not in (axes, axes + 1):
        raise ValueError(
            f"a picture of {pixels.samples} samples a pixel has {axes} or {axes + 1} axes, not {picture.ndim}"
        )
    frames = picture if picture.ndim > axes else picture[np.newaxis]
    if pixels.samples > 1 and pixels.by_plane:
        frames = np.moveaxis(frames, -3, -1)
    if pixels.samples > 1 and frames.shape[-1] != pixels.samples:
        raise ValueError(f"a picture of shape {picture.shape} does not have {pixels.samples} samples a pixel")
    for frame in frames:
        yield np.ascontiguousarray(frame, np.uint8 if pixels.bits_allocated == 8 else np.uint16)


def _colour(codec: _Codec, pixels: PixelFormat) -> dict[str, Any]:
    """Return how colour stands in the codestreams (PS3.5 8.2)."""
    if pixels.samples == 1:
        return {}
    return {"PhotometricInterpretation": codec.colour, "PlanarConfiguration": codec.planar}


def _loss(ratio: float) -> dict[str, Any]:
    """Return what says that samples have changed (PS3.3 C.7.6.1.1.5)."""
    return {
        "LossyImageCompression": "01",
        "LossyImageCompressionRatio": f"{ratio:.2f}",
        "LossyImageCompressionMethod": "ISO_10918_1",
    }


def _rle(frame: Pixels, bits_stored: int) -> bytes:
    """Return `frame` as byte segments: sample by sample, the most significant byte first (PS3.5 G.2 to G.5)."""
    planes = np.moveaxis(frame, -1, 0) if frame.ndim > 2 else frame[np.newaxis]
    segments = []
    for plane in planes:
        for shift in range(8 * (frame.itemsize - 1), -1, -8):
            # Row by row, as no run may cross the end of one (G.3.1).
            rows = np.ascontiguousarray(plane >> shift & 0xFF, np.uint8)
            segments.append(_even(bytes(imagecodecs.packbits_encode(rows, axis=-1))))
    offsets = [64]
    for segment in segments[:-1]:
        offsets.append(offsets[-1] + len(segment))
    head = struct.pack(f"<{1 + len(offsets)}I", len(segments), *offsets)
    return head.ljust(64, b"\0") + b"".join(segments)


# Chosen so that a burned-in text stays sharp; ISO/IEC 10918-1 Annex K's tables scaled as libjpeg does.
_QUALITY: Final = 90


def _jpeg_baseline(frame: Pixels, bits_stored: int) -> bytes:
    """Return `frame` as DCT codestream; colour as Y, CB, CR with chrominance halved in width (YBR_FULL_422)."""
    if frame.ndim == 2:
        return bytes(imagecodecs.jpeg8_encode(frame, _QUALITY))
    return bytes(imagecodecs.jpeg8_encode(frame, _QUALITY, colorspace="rgb", outcolorspace="ycbcr", subsampling="422"))


def _jpeg_lossless(frame: Pixels, bits_stored: int) -> bytes:
    """Return `frame` predicted by the sample to the left (selection value 1); colour as it is."""
    return bytes(imagecodecs.jpeg8_encode(frame, lossless=True, predictor=1, bitspersample=bits_stored))


def _jpeg_ls(frame: Pixels, bits_stored: int) -> bytes:
    """Return `frame` as JPEG-LS; colour as it is, interleaved by sample."""
    rows, columns, *colour = frame.shape
    samples = colour[0] if colour else 1
    little_endian = frame.astype(frame.dtype.newbyteorder("<"), copy=False).tobytes()
    return bytes(jpeg_ls.encode_buffer(little_endian, rows, columns, samples, bits_stored, interleave_mode=2))


def _jpeg_2000(frame: Pixels, bits_stored: int) -> bytes:
    """Return `frame` as bare codestream by the 5-3 wavelet; colour by the reversible transform (YBR_RCT)."""
    return bytes(imagecodecs.jpeg2k_encode(frame, codecformat="j2k", reversible=True, bitspersample=bits_stored))


_PHOTOMETRIC: Final = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB")


@dataclass(frozen=True, slots=True)
class _Codec:
    """How frames are compressed in one transfer syntax, and which can be.

    source: the part of the standard that says so. encode: from one frame and its bits stored. declares_precision:
    whether codestreams say how many bits a sample has. planar, colour: Planar Configuration and Photometric
    Interpretation that RGB frames then have.
    """

    source: str
    encode: Callable[[Pixels, int], bytes]
    stored: range
    allocated: tuple[int, ...] = (8, 16)
    declares_precision: bool = True
    planar: int = 0
    colour: str = "RGB"


# The tables of PS3.5 8.2, in so far as samples are unsigned and of 16 bits at most.
_CODECS: Final[Mapping[str, _Codec]] = {
    # Segments are planes, whatever order the samples had before.
    RLE_LOSSLESS.uid: _Codec("PS3.5 8.2.2 and Annex G", _rle, range(1, 17), declares_precision=False, planar=1),
    JPEG_BASELINE.uid: _Codec(
        "PS3.5 8.2.1, ISO/IEC 10918-1 process 1",
        _jpeg_baseline,
        range(8, 9),
        allocated=(8,),
        colour="YBR_FULL_422",
    ),
    JPEG_LOSSLESS_SV1.uid: _Codec("PS3.5 8.2.1, ISO/IEC 10918-1 process 14", _jpeg_lossless, range(2, 17)),
    JPEG_LS_LOSSLESS.uid: _Codec("PS3.5 8.2.3, ISO/IEC 14495-1", _jpeg_ls, range(2, 17)),
    JPEG_2000_LOSSLESS.uid: _Codec("PS3.5 8.2.4, ISO/IEC 15444-1", _jpeg_2000, range(1, 17), colour="YBR_RCT"),
}


def _extent(bits: range) -> str:
    return str(bits[0]) if len(bits) == 1 else f"{bits[0]} to {bits[-1]}"


_SHORT: Final = {
    IMPLICIT_VR_LITTLE_ENDIAN: ("Implicit VR LE", "Implicit LE"),
    EXPLICIT_VR_LITTLE_ENDIAN: ("Explicit VR LE", "Explicit LE"),
    EXPLICIT_VR_BIG_ENDIAN: ("Explicit VR Big Endian", "Explicit VR BE", "Explicit BE"),
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN: ("Deflated",),
    RLE_LOSSLESS: ("RLE",),
    JPEG_BASELINE: ("JPEG Baseline",),
}


def _spellings(syntax: TransferSyntax) -> Iterator[str]:
    """Give every way to write the name of `syntax` that `by_name` takes."""
    standard = UID(syntax.uid).name
    yield from (syntax.keyword, syntax.name, standard, standard.split(":")[0], *_SHORT.get(syntax, ()))


def _squashed(text: str) -> str:
    """Return the letters and digits of `text`; a name and its keyword then read the same."""
    return "".join(filter(str.isalnum, text.casefold()))


def _unknown(text: str) -> str:
    near = get_close_matches(_squashed(text), _BY_NAME, n=5)
    names = dict.fromkeys(_BY_NAME[each].name for each in near)
    if not names:
        return f"no transfer syntax {text!r}; there are {', '.join(each.name for each in TRANSFER_SYNTAXES)}"
    return f"no transfer syntax {text!r}; near: {', '.join(names)}"


_BY_UID: Final = {each.uid: each for each in TRANSFER_SYNTAXES}
_BY_NAME: Final = {_squashed(spelling): each for each in TRANSFER_SYNTAXES for spelling in _spellings(each)}
