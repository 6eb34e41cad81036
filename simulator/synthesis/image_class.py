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
        """Return (rows, columns) of uint16 in [0, `amplitude`), read from the series' noise at a place of its own.

        Not writable. That no two instances are equal is the work of `numbered`.
        """
        return pixels.noise_at(self.number + 521 * frame, amplitude, self.rows, self.columns, self.series_uid)

    def numbered(self, picture: Pixels) -> Pixels:
        """Return `picture` (writable, contiguous) after making sure, in place, that it is unlike all of its series."""
        return pixels.numbered(picture, self.number)


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """The part of the Image Pixel module (PS3.3 C.7.6.3) that a class decides. Samples are unsigned.

    More than one sample a pixel means colour by plane (Planar Configuration 1) or by pixel (0). letters: the
    sample that burned-in letters have where the greatest one is far beyond all others, and a viewer that takes its
    window from the samples would show the rest as black.
    """

    bits_stored: int
    bits_allocated: int = 16
    photometric: str = "MONOCHROME2"
    samples: int = 1
    by_plane: bool = False
    letters: int | None = None

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

    modality: (0008,0060). pixels: the format of what `paint` returns, which is writable and contiguous. frames: of
    each instance; with more than one, `paint` returns them along a leading axis. fixed: attributes of every instance
    there is. of_series: attributes that are the same throughout a series, from its first place. of_instance:
    attributes of one place. Encoding depends on that division: only `of_instance` is encoded each time.
    size: rows and columns that real equipment gives such images, or half as many where that is a great many.
    window: centre and width to show it with (PS3.3 C.11.2.1.2), where they do not stand in `fixed`.
    """

    modality: str
    pixels: PixelFormat
    paint: Callable[[Place], Pixels]
    fixed: Attributes
    of_series: Callable[[Place], Attributes] = nothing
    of_instance: Callable[[Place], Attributes] = nothing
    frames: int = 1
    size: tuple[int, int] = (512, 512)
    window: tuple[float, float] | None = None


def code(value: str, scheme: str, meaning: str) -> Attributes:
    """Return a code sequence entry (PS3.3 Table 8.8-1a)."""
    return {"CodeValue": value, "CodingSchemeDesignator": scheme, "CodeMeaning": meaning}


def millimetres(length: float) -> str:
    """Return `length` as DS text: four decimals, so 16 characters hold it (PS3.5 6.2)."""
    return f"{length:.4f}"
