"""What a kind of image is: its modality, its pixel format, its attributes and how it is painted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from simulator.synthesis import pixels
from simulator.synthesis.encoding import Attributes
from simulator.synthesis.pixels import SCALE, Pixels


@dataclass(frozen=True, slots=True)
class Place:
    """Where one instance stands in its series: the `number`th (from 1) of `count`.

    rows, columns: of the picture. series_uid: the Series Instance UID, from which everything random is drawn.
    performed_at: `YYYYMMDDHHMMSS`.
    """

    number: int
    count: int
    rows: int
    columns: int
    series_uid: str
    performed_at: str

    def depth(self, frame: int = 0, frames: int = 1) -> int:
        """Return the z (-1024 to 1024) at the middle of this instance's share of the body."""
        index = (self.number - 1) * frames + frame
        return (2 * index + 1) * SCALE // (self.count * frames) - SCALE

    def noise(self, amplitude: int, frame: int = 0) -> Pixels:
        """Return (rows, columns) of uint16 in [0, `amplitude`) that no other instance or frame has."""
        return pixels.noise(amplitude, self.rows, self.columns, self.series_uid, self.number, frame)


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """The part of the Image Pixel module (PS3.3 C.7.6.3) that a class decides. Samples are unsigned.

    More than one sample a pixel means colour by plane (Planar Configuration 1) or by pixel (0).
    """

    bits_stored: int
    bits_allocated: int = 16
    photometric: str = "MONOCHROME2"
    samples: int = 1
    by_plane: bool = False

    def attributes(self, rows: int, columns: int) -> Attributes:
        """Return the Image Pixel module without Pixel Data."""
        planar = {"PlanarConfiguration": int(self.by_plane)} if self.samples > 1 else {}
        return {
            "SamplesPerPixel": self.samples,
            "PhotometricInterpretation": self.photometric,
            "Rows": rows,
            "Columns": columns,
            "BitsAllocated": self.bits_allocated,
            "BitsStored": self.bits_stored,
            "HighBit": self.bits_stored - 1,
            "PixelRepresentation": 0,
            **planar,
        }


def nothing(place: Place) -> Attributes:
    """Return no attributes."""
    return {}


@dataclass(frozen=True, slots=True)
class ImageClass:
    """One kind of image.

    modality: (0008,0060). pixels: the format of what `paint` returns. frames: of each instance; with more than
    one, `paint` returns them along a leading axis. fixed: attributes of every instance
    there is. of_series: attributes that are the same throughout a series, from its first place. of_instance:
    attributes of one place. Encoding depends on that division: only `of_instance` is encoded each time.
    """

    modality: str
    pixels: PixelFormat
    paint: Callable[[Place], Pixels]
    fixed: Attributes
    of_series: Callable[[Place], Attributes] = nothing
    of_instance: Callable[[Place], Attributes] = nothing
    frames: int = 1


def code(value: str, scheme: str, meaning: str) -> Attributes:
    """Return a code sequence entry (PS3.3 Table 8.8-1a)."""
    return {"CodeValue": value, "CodingSchemeDesignator": scheme, "CodeMeaning": meaning}


def millimetres(length: float) -> str:
    """Return `length` as DS text: four decimals, so 16 characters hold it (PS3.5 6.2)."""
    return f"{length:.4f}"
