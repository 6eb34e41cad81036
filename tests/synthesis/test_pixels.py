from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.synthesis import pixels
from simulator.synthesis.pixels import ABDOMEN, ABDOMEN_AIR, BRAIN, BRAIN_AIR, Ellipsoid
from tests.synthesis.made import steady

BODIES = [(ABDOMEN, ABDOMEN_AIR), (BRAIN, BRAIN_AIR)]


@pytest.mark.parametrize(("rows", "columns"), [(41, 67), (64, 64), (67, 41)])
def test_a_cut_is_the_ellipse_that_geometry_asks_for(rows: int, columns: int) -> None:
    part = Ellipsoid(900, (100, -150, 50), (600, 400, 700))
    x, y = pixels.axes(rows, columns)
    for z in (50, 300, -450, 740):
        picture = pixels.slice_at(z, [part], 7, rows, columns)
        left = 1 - ((z - 50) / 700) ** 2
        measure = ((x - 100) / 600) ** 2 + ((y + 150) / 400) ** 2
        assert (picture[measure > left] == 7).all()
        # One pixel of the edge may be in between.
        slack = 3 * pixels.pitch(rows, columns) / 400
        assert (picture[measure < left - slack] == 900).all()
    assert (pixels.slice_at(751, [part], 7, rows, columns) == 7).all()


def test_later_parts_cover_earlier_ones() -> None:
    body = (
        Ellipsoid(1000, (0, 0, 0), (900, 900, 900)),
        Ellipsoid(400, (-300, 0, 0), (300, 300, 300)),
        Ellipsoid(1500, (300, 0, 0), (300, 300, 300)),
        Ellipsoid(700, (-300, 0, 0), (150, 150, 150)),
    )
    row = pixels.slice_at(0, body, 0, 128, 128)[64]
    at = {x: int(row[(x + 1024) // 16]) for x in (-1000, -800, -500, -300, 0, 300)}
    assert at == {-1000: 0, -800: 1000, -500: 400, -300: 700, 0: 1000, 300: 1500}


@pytest.mark.parametrize(("body", "air"), BODIES)
@pytest.mark.parametrize(("rows", "columns"), [(16, 16), (16, 200), (65, 40), (128, 128)])
def test_slices_hold_no_value_that_no_part_has(body: tuple[Ellipsoid, ...], air: int, rows: int, columns: int) -> None:
    values = [air, *(part.value for part in body)]
    for z in range(-1024, 1025, 64):
        picture = pixels.slice_at(z, body, air, rows, columns)
        assert picture.shape == (rows, columns)
        assert picture.dtype == np.uint16
        assert min(values) <= picture.min() <= picture.max() <= max(values)


@pytest.mark.parametrize(("body", "air"), BODIES)
def test_slices_differ_visibly(body: tuple[Ellipsoid, ...], air: int) -> None:
    slices = [pixels.slice_at(z, body, air, 64, 64).astype(int) for z in range(-960, 961, 120)]
    for one, two in itertools.pairwise(slices):
        assert np.count_nonzero(abs(one - two) > 30) > 40


def test_large_pictures_are_painted_in_bands_to_the_same_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [pixels.slice_at(z, ABDOMEN, ABDOMEN_AIR, 70, 90) for z in (-700, 0, 500)]
    monkeypatch.setattr(pixels, "_KEPT", 64)
    monkeypatch.setattr(pixels, "_BAND", 90 * 9)
    banded = [pixels.slice_at(z, ABDOMEN, ABDOMEN_AIR, 70, 90) for z in (-700, 0, 500)]
    for one, two in zip(whole, banded, strict=True):
        assert np.array_equal(one, two)


def test_what_is_kept_is_not_handed_out() -> None:
    first = pixels.slice_at(0, ABDOMEN, ABDOMEN_AIR, 32, 32)
    wanted = first.copy()
    first[:] = 0
    assert np.array_equal(pixels.slice_at(0, ABDOMEN, ABDOMEN_AIR, 32, 32), wanted)


def test_a_shadow_is_deepest_in_the_middle() -> None:
    picture = pixels.shadow(*pixels.axes(65, 65), Ellipsoid(800, (0, 0, 0), (500, 500, 1)))
    assert picture[32, 32] == 800
    assert (np.diff(picture[32, :33]) >= 0).all()
    assert picture[0, 0] == 0


@given(st.integers(1, 256), st.integers(0, 5000), st.sampled_from([(16, 16), (20, 31), (600, 500)]))
@steady
def test_noise_stays_below_its_amplitude(amplitude: int, start: int, shape: tuple[int, int]) -> None:
    noise = pixels.noise_at(start, amplitude, *shape, "seed")
    assert noise.shape == shape
    assert noise.max() < amplitude
    assert np.array_equal(noise, pixels.noise_at(start, amplitude, *shape, "seed"))


def test_noise_differs_from_place_to_place_and_from_seed_to_seed() -> None:
    one, two = pixels.noise_at(1, 200, 16, 16, "a"), pixels.noise_at(2, 200, 16, 16, "a")
    assert not np.array_equal(one, two)
    assert not np.array_equal(one, pixels.noise_at(1, 200, 16, 16, "b"))
    assert abs(float(one.mean()) - 100) < 12
    assert not one.flags.writeable


numbers = st.integers(0, 2**32 - 1)
samples = st.sampled_from([(np.uint8, 255), (np.uint16, 4095)])


@given(numbers, numbers, samples)
@steady
def test_two_numbers_never_make_the_same_picture(one: int, two: int, sample: tuple[Any, int]) -> None:
    dtype, white = sample
    pictures = [pixels.numbered(np.full((16, 16), white, dtype), number) for number in (one, two)]
    assert np.array_equal(pictures[0], pictures[1]) is (one == two)
    assert all(picture.max() <= white for picture in pictures)
    # Nothing but the lowest bits of the last two rows.
    assert all((picture[:14] == white).all() and (picture >= white - 1).all() for picture in pictures)


@pytest.mark.parametrize(("rows", "columns"), [(16, 16), (48, 64), (480, 640), (64, 16)])
def test_a_fan_is_a_sector_on_black(rows: int, columns: int) -> None:
    speckle = pixels.noise_at(0, 256, rows, columns, "speckle")
    picture = pixels.fan(rows, columns, speckle)
    assert picture.dtype == np.uint8
    assert picture.shape == (rows, columns)
    assert picture[rows // 2, 0] == 0
    middle = picture[rows // 2 - 3 : rows // 2 + 4, columns // 2 - 3 : columns // 2 + 4]
    assert middle.mean() > 15
