from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from simulator.synthesis.annotation import lettering
from simulator.synthesis.classes import CLASSES
from simulator.synthesis.image_class import ImageClass, PixelFormat, Place
from simulator.synthesis.pixels import Pixels
from simulator.synthesis.preview import contact_sheet, thumbnail

GREY = replace(CLASSES["CTImageStorage"], fixed={})


def opened(png: bytes) -> Pixels:
    with Image.open(BytesIO(png)) as image:
        assert image.format == "PNG"
        return np.asarray(image)


def shown(values: list[int], kind: ImageClass) -> list[int]:
    """Return the grey values that a row of stored `values` is shown with."""
    picture = np.array([values], np.uint16)
    return [int(value) for value in opened(thumbnail(picture, kind, len(values)))[0]]


def test_a_window_is_applied_after_rescaling() -> None:
    ct = CLASSES["CTImageStorage"]
    # Window 40/400 in Hounsfield units: all black up to -160, all white from 239.
    assert shown([24, 864, 865, 1263, 1264, 3000], ct) == [0, 0, 1, 255, 255, 255]
    assert shown([1063, 1064], ct) == [127, 128]


@pytest.mark.parametrize(("centre", "width", "grey"), [("10", "1", [0, 0, 255, 255]), ("9.5", "2", [0, 0, 255, 255])])
def test_the_narrowest_windows(centre: str, width: str, grey: list[int]) -> None:
    kind = replace(GREY, fixed={"WindowCenter": centre, "WindowWidth": width})
    assert shown([0, 8, 10, 4095], kind) == grey


def test_without_a_window_the_whole_range_is_shown() -> None:
    assert shown([500, 600, 700], GREY) == [0, 128, 255]
    assert shown([7, 7], GREY) == [0, 0] or shown([7, 7], GREY) == [255, 255]


def test_a_window_that_stands_in_functional_groups() -> None:
    assert shown([0, 560, 4095], replace(GREY, window=(560, 1120)))[0::2] == [0, 255]
    assert abs(shown([0, 560, 4095], replace(GREY, window=(560, 1120)))[1] - 128) <= 1


def test_monochrome1_has_0_as_white() -> None:
    kind = replace(GREY, pixels=PixelFormat(bits_stored=12, photometric="MONOCHROME1"))
    assert shown([0, 4095], kind) == [255, 0]


@pytest.mark.parametrize("by_plane", [True, False])
def test_colours_stay_what_they_are(by_plane: bool) -> None:
    pixel_format = PixelFormat(8, 8, "RGB", 3, by_plane)
    kind = replace(GREY, pixels=pixel_format)
    picture = np.zeros((20, 30, 3), np.uint8)
    picture[..., 0], picture[:, :15, 2] = 200, 90
    stored = np.ascontiguousarray(np.moveaxis(picture, -1, 0)) if by_plane else picture
    seen = opened(thumbnail(stored, kind, 30))
    assert np.array_equal(seen, picture)


def test_of_frames_the_middle_one_is_shown() -> None:
    kind = replace(GREY, frames=3, window=(50, 100))
    frames = np.stack([np.full((8, 8), value, np.uint16) for value in (0, 99, 0)])
    assert (opened(thumbnail(frames, kind, 8)) == 255).all()


@pytest.mark.parametrize(("shape", "size"), [((100, 50), (40, 20)), ((50, 100), (20, 40)), ((16, 4000), (1, 40))])
def test_the_longer_side_is_as_long_as_asked(shape: tuple[int, int], size: tuple[int, int]) -> None:
    assert opened(thumbnail(np.zeros(shape, np.uint16), GREY, 40)).shape == size


def test_small_pictures_are_enlarged_dot_by_dot() -> None:
    assert opened(thumbnail(np.array([[0, 9], [9, 0]], np.uint16), GREY, 4)).tolist() == [
        [0, 0, 255, 255],
        [0, 0, 255, 255],
        [255, 255, 0, 0],
        [255, 255, 0, 0],
    ]


def test_a_contact_sheet_has_every_tile_and_its_caption() -> None:
    kind, place = CLASSES["UltrasoundImageStorage"], Place(1, 1, 48, 64, "1.2.3", "20250101000000")
    tiles = [
        ("CT", thumbnail(np.full((64, 64), 1000, np.uint16), replace(GREY, window=(50, 100)), 64)),
        ("US", thumbnail(kind.paint(place), kind, 64)),
        ("DX For Processing", thumbnail(np.zeros((64, 32), np.uint16), GREY, 64)),
    ]
    sheet = opened(contact_sheet(tiles, 2))
    assert sheet.ndim == 3
    assert sheet.shape[1] == 10 + 2 * (64 + 10)
    # The first tile is white; beneath it stands its caption, in the middle.
    assert (sheet[10:74, 10:74] == 255).all()
    ink = lettering("CT")
    start = 10 + (64 - ink.shape[1]) // 2
    caption = sheet[79 : 79 + ink.shape[0], start : start + ink.shape[1], 0]
    assert np.array_equal(caption == caption.max(), ink)
    # The ground is neutral and dark.
    assert len(set(sheet[0, 0].tolist())) == 1
    assert sheet[0, 0, 0] < 64


def test_a_sheet_without_tiles_is_an_empty_ground() -> None:
    assert len(np.unique(opened(contact_sheet([], 4)))) == 1
