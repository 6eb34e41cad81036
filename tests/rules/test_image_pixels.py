from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.rules.image_pixels import ImagePixels, PixelData, complaint
from simulator.rules.sop_classes import EXTENDED_CLASSES, SEED_IMAGE_CLASSES, SopClass, by_name
from tests.rules.strategies import steady

CT = by_name("CT Image").uid
PIXELS = ImagePixels(
    rows=16,
    columns=16,
    samples_per_pixel=1,
    bits_allocated=16,
    photometric_interpretation="MONOCHROME2",
    number_of_frames="",
)
IMAGES = tuple(each for each in (*SEED_IMAGE_CLASSES, *EXTENDED_CLASSES) if "Image" in each.keyword)
OTHERS = tuple(each for each in EXTENDED_CLASSES if each not in IMAGES)


def of_length(length: int, pixels: ImagePixels = PIXELS) -> str:
    return complaint(CT, pixels, PixelData(length, None), native=True)


def with_items(items: int | None, pixels: ImagePixels = PIXELS) -> str:
    return complaint(CT, pixels, PixelData(100, items), native=False)


def test_which_classes_are_images() -> None:
    assert len(IMAGES) == 28
    assert [each.keyword for each in OTHERS] == [
        "BasicTextSRStorage",
        "EnhancedSRStorage",
        "ComprehensiveSRStorage",
        "KeyObjectSelectionDocumentStorage",
        "GrayscaleSoftcopyPresentationStateStorage",
    ]


@pytest.mark.parametrize("sop_class", IMAGES, ids=lambda each: each.keyword)
def test_an_image_without_pixel_data_is_refused(sop_class: SopClass) -> None:
    assert complaint(sop_class.uid, PIXELS, None, native=True) == "Pixel Data (7FE0,0010) is missing"


@pytest.mark.parametrize("uid", [*(each.uid for each in OTHERS), "1.2.3"])
def test_what_is_no_image_may_hold_anything(uid: str) -> None:
    nothing = ImagePixels(None, None, None, None, "", "")
    for pixel_data in (None, PixelData(2, None), PixelData(2, 0)):
        assert complaint(uid, nothing, pixel_data, native=True) == ""


@pytest.mark.parametrize(
    ("pixels", "needed"),
    [
        (PIXELS, 512),
        (replace(PIXELS, bits_allocated=8), 256),
        (replace(PIXELS, bits_allocated=32), 1024),
        (replace(PIXELS, number_of_frames="3"), 1536),
        (replace(PIXELS, number_of_frames="+03"), 1536),
        (replace(PIXELS, rows=7, columns=5, bits_allocated=8), 35),  # one byte of padding follows
        (replace(PIXELS, samples_per_pixel=3, bits_allocated=8, photometric_interpretation="RGB"), 768),
        (replace(PIXELS, samples_per_pixel=3, bits_allocated=8, photometric_interpretation="YBR_FULL"), 768),
        # Two Y, one CB and one CR for two pixels: two samples a pixel.
        (replace(PIXELS, samples_per_pixel=3, bits_allocated=8, photometric_interpretation="YBR_FULL_422"), 512),
        (replace(PIXELS, samples_per_pixel=3, bits_allocated=8, photometric_interpretation="YBR_PARTIAL_422"), 512),
        # Single bits: 3 frames of 5x5 are 75 bits, without padding between the frames.
        (replace(PIXELS, rows=5, columns=5, bits_allocated=1, number_of_frames="3"), 10),
        (replace(PIXELS, rows=65535, columns=65535, number_of_frames="1000"), 8589672450000),
    ],
)
def test_how_many_bytes_are_needed(pixels: ImagePixels, needed: int) -> None:
    assert of_length(needed, pixels) == ""
    assert of_length(needed + 1, pixels) == ""
    assert of_length(needed - 1, pixels) == f"Pixel Data (7FE0,0010) has {needed - 1} bytes, needs {needed}"


def test_more_than_is_needed_is_no_complaint() -> None:
    """Some devices pad to whole blocks; nothing is lost by that."""
    assert of_length(4096) == ""


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (replace(PIXELS, rows=None), "Rows (0028,0010) is missing or not one number"),
        (replace(PIXELS, columns=None), "Columns (0028,0011) is missing or not one number"),
        (replace(PIXELS, bits_allocated=None), "Bits Allocated (0028,0100) is missing or not one number"),
        (replace(PIXELS, samples_per_pixel=None), "Samples per Pixel (0028,0002) is missing or not one number"),
        (replace(PIXELS, rows=0), "Rows (0028,0010) is 0"),
        (replace(PIXELS, bits_allocated=0), "Bits Allocated (0028,0100) is 0"),
        (replace(PIXELS, number_of_frames="0"), "Number of Frames (0028,0008) is not a number above 0"),
        (replace(PIXELS, number_of_frames="-1"), "Number of Frames (0028,0008) is not a number above 0"),
        (replace(PIXELS, number_of_frames="two"), "Number of Frames (0028,0008) is not a number above 0"),
        (replace(PIXELS, number_of_frames="1\\2"), "Number of Frames (0028,0008) is not a number above 0"),
    ],
)
def test_what_the_module_lacks_is_named(pixels: ImagePixels, expected: str) -> None:
    assert of_length(512, pixels) == expected
    assert with_items(2, pixels) == expected


@pytest.mark.parametrize(
    ("items", "frames", "expected"),
    [
        (2, "", ""),
        (2, "1", ""),
        (5, "4", ""),
        (9, "4", ""),  # a frame may be in several fragments
        (None, "", "Pixel Data (7FE0,0010) has 0 fragments, needs 1"),  # not encapsulated at all
        (0, "", "Pixel Data (7FE0,0010) has 0 fragments, needs 1"),
        (1, "", "Pixel Data (7FE0,0010) has 0 fragments, needs 1"),  # the Basic Offset Table alone
        (2, "4", "Pixel Data (7FE0,0010) has 1 fragment, needs 4"),
        (4, "4", "Pixel Data (7FE0,0010) has 3 fragments, needs 4"),
    ],
)
def test_each_frame_needs_a_fragment(items: int | None, frames: str, expected: str) -> None:
    assert with_items(items, replace(PIXELS, number_of_frames=frames)) == expected


def test_items_in_a_native_transfer_syntax_are_refused() -> None:
    found = complaint(CT, PIXELS, PixelData(4096, 2), native=True)
    assert found == "Pixel Data (7FE0,0010) has items in a native transfer syntax"


numbers = st.none() | st.integers(0, 65535)
modules = st.builds(
    ImagePixels, numbers, numbers, numbers, numbers, st.sampled_from(("", "RGB", "YBR_FULL_422")), st.text(max_size=4)
)


@given(modules, st.none() | st.builds(PixelData, st.integers(0, 10**6), st.none() | st.integers(0, 9)), st.booleans())
@steady
def test_the_tag_stands_in_every_complaint(pixels: ImagePixels, pixel_data: PixelData | None, native: bool) -> None:
    found = complaint(CT, pixels, pixel_data, native=native)
    assert found == "" or found[found.index("(") :][:6] in ("(0028,", "(7FE0,")
    # The number of bytes that are needed may be of any size; the tag comes before it.
    assert len(found) <= 64 or "needs" in found[:64]
