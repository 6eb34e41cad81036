from __future__ import annotations

import itertools

import numpy as np
import pytest

from simulator.synthesis.annotation import CHARACTERS, burn, lettering, wrapped
from simulator.synthesis.image_class import PixelFormat
from simulator.synthesis.pixels import Pixels

WARNING = "SYNTHETIC - NOT FOR DIAGNOSIS"
LINES = (WARNING, "CT SYNCT2500000101H", "IMAGE 17/1001")
GREY = PixelFormat(bits_stored=12)
INVERSE = PixelFormat(bits_stored=12, photometric="MONOCHROME1")
BYTES = PixelFormat(bits_stored=8, bits_allocated=8)
BY_PIXEL = PixelFormat(bits_stored=8, bits_allocated=8, photometric="RGB", samples=3)
BY_PLANE = PixelFormat(bits_stored=8, bits_allocated=8, photometric="RGB", samples=3, by_plane=True)


def shows(picture: Pixels, text: str, white: int, scale: int = 1, tall: bool = False) -> bool:
    """Say whether `text` stands anywhere in (rows, columns), its ink `white` and all between the letters not."""
    ink = lettering(text, scale, tall)[:, :-scale]
    rows, columns = ink.shape
    places = itertools.product(range(picture.shape[0] - rows + 1), range(picture.shape[1] - columns + 1))
    return any(np.array_equal(picture[y : y + rows, x : x + columns] == white, ink) for y, x in places)


@pytest.mark.parametrize("tall", [True, False])
def test_no_two_characters_look_alike(tall: bool) -> None:
    assert set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ -./:()") <= CHARACTERS
    drawn = [lettering(character, tall=tall).tobytes() for character in [*CHARACTERS, "?"]]
    assert len(set(drawn)) == len(CHARACTERS) + 1


def test_letters_are_enlarged_by_whole_numbers() -> None:
    assert lettering("AB", 1, tall=True).shape == (7, 12)
    assert lettering("AB", 3, tall=False).shape == (15, 24)
    assert np.array_equal(lettering("a:7", 2)[::2, ::2], lettering("A:7"))
    assert lettering("").shape == (7, 0)


def test_lines_are_evenly_filled() -> None:
    assert wrapped(WARNING, 29) == (WARNING,)
    assert wrapped(WARNING, 20) == ("SYNTHETIC - NOT", "FOR DIAGNOSIS")
    assert wrapped(WARNING, 10) == ("SYNTHETIC", "- NOT FOR", "DIAGNOSIS")
    assert wrapped("SYNCT2500000101H", 4) == ("SYNCT2500000101H",)
    assert wrapped("", 4) == ("",)


@pytest.mark.parametrize(
    ("shape", "pixel_format", "white"),
    [
        ((64, 64), GREY, 4095),
        ((64, 64), INVERSE, 0),
        ((64, 64), BYTES, 255),
        ((3, 64, 64), GREY, 4095),
        ((3, 64, 64), BY_PLANE, 255),
        ((64, 64, 3), BY_PIXEL, 255),
        ((2, 64, 64, 3), BY_PIXEL, 255),
        ((2, 3, 64, 64), BY_PLANE, 255),
    ],
)
@pytest.mark.parametrize("ground", [0, 1])
def test_all_is_readable_at_64_by_64_on_any_ground(
    shape: tuple[int, ...], pixel_format: PixelFormat, white: int, ground: int
) -> None:
    dtype = np.uint16 if pixel_format.bits_allocated == 16 else np.uint8
    picture = np.full(shape, ground * (2**pixel_format.bits_stored - 1), dtype)
    burn(picture, pixel_format, LINES)
    by_pixel = shape[-1] == 3
    faces = np.moveaxis(picture, -1, 0).reshape(-1, 64, 64) if by_pixel else picture.reshape(-1, 64, 64)
    for face in faces:
        for line in ("SYNTHETIC - NOT", "FOR DIAGNOSIS", "CT", "SYNCT2500000101H", "IMAGE 17/1001"):
            assert shows(face, line, white), line


@pytest.mark.parametrize(("size", "scale"), [(128, 1), (256, 1), (512, 2), (1024, 3)])
def test_letters_grow_with_the_picture_and_are_outlined(size: int, scale: int) -> None:
    picture = np.full((size, size), 4095, np.uint16)
    burn(picture, GREY, LINES)
    corner = picture[: 60 * scale, : 140 * scale]
    dark = lettering("FOR DIAGNOSIS", scale, tall=True)[:, :-scale]
    # On white only the outlines show: no dark pixel is ink, and dark ones stand next to the ink.
    assert (picture == 0).any()
    assert np.count_nonzero(picture != 4095) == np.count_nonzero(corner != 4095)
    black = np.zeros((size, size), np.uint16)
    burn(black, GREY, LINES)
    assert shows(black[: 60 * scale, : 140 * scale], "FOR DIAGNOSIS", 4095, scale, tall=True)
    ink = black == 4095
    assert (picture[ink] == 4095).all()
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        beside = np.roll(ink, step, axis) & ~ink
        assert (picture[beside] == 0).all()
    assert ink.sum() >= dark.sum()
    assert ink.sum() < size * size // 20


def test_nothing_but_the_letters_surroundings_changes() -> None:
    ground = np.arange(512 * 512, dtype=np.uint32).reshape(512, 512).astype(np.uint16) % 4096
    picture = ground.copy()
    burn(picture, GREY, LINES)
    changed = np.argwhere(picture != ground)
    assert changed[:, 0].max() < 90
    assert changed[:, 1].max() < 256
    assert set(np.unique(picture[picture != ground])) == {0, 4095}


@pytest.mark.parametrize(("rows", "columns"), [(16, 16), (16, 64), (33, 40), (40, 16), (17, 65535), (64, 63)])
def test_what_does_not_fit_is_left_out_whole(rows: int, columns: int) -> None:
    picture = np.full((rows, columns), 100, np.uint16)
    burn(picture, GREY, LINES)
    burned = picture[:, :200]
    assert not shows(burned, "SYNCT2500000101H", 4095) or columns >= 64
    # Never the end of the warning without its middle.
    if shows(burned, "DIAGNOSIS", 4095):
        assert shows(burned, "NOT", 4095)
    # The number of the picture, in its last samples, stays.
    assert (picture.reshape(-1)[-32:] == 100).all()


def test_a_picture_too_small_for_any_letter_stays_as_it_is() -> None:
    picture = np.full((16, 16), 9, np.uint8)
    burn(picture, BYTES, LINES)
    assert (picture == 9).all()


def test_empty_lines_and_strange_characters_do_no_harm() -> None:
    picture = np.zeros((64, 64), np.uint8)
    burn(picture, BYTES, ["", "  ", "a#b"])
    assert shows(picture, "A#B", 255)
    assert not shows(picture, "A B", 255)


def test_each_instance_has_its_own_number() -> None:
    pictures = []
    for number in range(1, 120):
        picture = np.zeros((64, 64), np.uint8)
        burn(picture, BYTES, (*LINES[:2], f"IMAGE {number}/119"))
        pictures.append(picture.tobytes())
    assert len(set(pictures)) == 119
