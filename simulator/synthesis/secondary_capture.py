"""Secondary capture: pages, digitised films and screens (PS3.3 A.8)."""

from __future__ import annotations

import itertools
from typing import Final

import numpy as np

from simulator.synthesis import draws, pixels
from simulator.synthesis.canvas import Point, Tube, as_bytes, cloud, mixed, plane, reach, softened, tubes
from simulator.synthesis.encoding import Attributes
from simulator.synthesis.image_class import ImageClass, PixelFormat, Place, millimetres
from simulator.synthesis.pixels import SCALE, Ellipsoid, Pixels

_COLOUR: Final = PixelFormat(bits_stored=8, bits_allocated=8, photometric="RGB", samples=3)

# A page of text in dots, of which a scanner or a fax makes the picture.
SC_PAGES: Final = 3
_LINES, _LETTERS = 100, 70
_LETTER: Final = (6, 6)
"""Height and width of a letter in dots, with the space round it."""


def _ink(place: Place, page: int) -> Pixels:
    """Return a page as (rows, columns) bool, True where ink is: letterhead, paragraphs, a table, a page mark."""
    drawn = (place.series_uid, place.number, page)
    ink = np.zeros((_LINES * _LETTER[0], _LETTERS * _LETTER[1]), bool)
    letters = _letters(drawn)
    for line in range(_LINES):
        if 14 <= line < 62 and line % 2 == 0 and line % 14 != 0:
            _write(ink, letters, line, 6, _LETTERS - 6 - draws.number(18, *drawn, "ragged", line), drawn)
    # The letterhead stands on the right: the left upper corner is for what is burned in.
    ink[30:60, 354:384] = reach(*plane(30, 30), (0, 0), (900, 900)) < SCALE
    ink[36:44, 240:340] = True
    ink[50:54, 220:340] = True
    ink[72:74, 36:-36] = True
    for row in range(66, 86, 4):
        ink[row * 6 - 4 : row * 6 - 3, 31:392] = True
    for row in range(66, 82, 4):
        for column in range(6, 60, 15):
            _write(ink, letters, row + 1, column, column + 4 + draws.number(6, *drawn, "cell", row, column), drawn)
    for column in range(5, 66, 15):
        ink[66 * 6 - 4 : 82 * 6 - 3, column * 6 + 1 : column * 6 + 2] = True
    # The tab at the edge moves down from page to page, so that one tells them apart at a glance.
    tab = 60 + page * 480 // SC_PAGES
    ink[tab : tab + 96, -18:] = True
    down = np.arange(place.rows) * ink.shape[0] // place.rows
    across = np.arange(place.columns) * ink.shape[1] // place.columns
    return np.asarray(ink[down[:, np.newaxis], across])


def _letters(drawn: tuple[object, ...]) -> Pixels:
    """Return 32 made-up letters as (32, 5, 4) bool: a stem, and strokes of some height."""
    dice = np.frombuffer(draws.noise(32 * 3, *drawn, "letters"), np.uint8).reshape(32, 3)
    letters = np.zeros((32, 5, 4), bool)
    letters[:, 1:, 0] = True
    letters[dice[:, 0] < 90, 0, 0] = True
    for row, bit in ((1, 1), (2, 2), (4, 4)):
        letters[(dice[:, 1] & bit) > 0, row, :3] = True
    letters[dice[:, 2] > 110, 2:, 3] = True
    return letters


def _write(ink: Pixels, letters: Pixels, line: int, first: int, last: int, drawn: tuple[object, ...]) -> None:
    """Write words of one to nine letters from letter place `first` to `last`."""
    dice = draws.noise(_LETTERS, *drawn, "words", line, first)
    left = 3
    for place in range(first, last):
        left -= 1
        if left < 0:
            left = 1 + dice[place] % 9
            continue
        top, side = line * _LETTER[0], place * _LETTER[1]
        ink[top : top + 5, side : side + 4] |= letters[dice[place] % 32]


def _fax(place: Place) -> Pixels:
    """Return pages of single bits as uint8 (3, rows, columns): 1 is paper, 0 is ink."""
    return np.stack([(~_ink(place, page)).astype(np.uint8) for page in range(SC_PAGES)])


def _scan(place: Place) -> Pixels:
    """Return grey pages as uint8 (3, rows, columns): paper that is not quite white, ink that is not quite black."""
    pages = []
    for page in range(SC_PAGES):
        paper = 226 + cloud(place.rows, place.columns, 3, place.series_uid, place.number, page) // 16
        ink = softened(_ink(place, page) * 190, max(1, place.rows // 1200), times=1)
        pages.append(as_bytes(paper - ink + place.noise(8, page)))
    return np.stack(pages)


# Fingers from the thumb on: where each starts at the wrist, its joints, and its tip.
_FINGERS: Final = (
    ((-150, 480), (-360, 260), (-560, 0), (-700, -170)),
    ((-90, 420), (-250, -100), (-330, -470), (-370, -720), (-390, -880)),
    ((-20, 410), (-50, -140), (-60, -560), (-64, -840), (-66, -1000)),
    ((50, 420), (150, -100), (210, -500), (250, -760), (270, -920)),
    ((120, 440), (330, 0), (430, -280), (490, -470), (530, -600)),
)
# Centre and radius of each small bone of the wrist.
_CARPALS: Final = (
    (-150, 506, 36),
    (-84, 520, 32),
    (-14, 530, 46),
    (74, 516, 42),
    (-120, 606, 50),
    (-20, 630, 48),
    (62, 610, 40),
    (94, 588, 26),
)
_FILM_VIEWS: Final = 2


def _hand(place: Place) -> Pixels:
    """Return digitised films as uint16 of 12 bits (2, rows, columns): a hand straight on, and turned aside."""
    x, y = plane(place.rows, place.columns)
    blur = max(1, min(place.rows, place.columns) // 400)
    films = []
    for view in range(_FILM_VIEWS):
        turned = tuple(
            tuple(
                (px * (SCALE - 260 * view) // SCALE + view * (py + 200) // 7, py * 15 // 16 + 40) for px, py in finger
            )
            for finger in _FINGERS
        )
        flesh, _ = tubes(x, y, [*_flesh(turned), Tube(((0, 520), (0, 1300)), 230, 250)])
        bones, _ = tubes(x, y, [*_bones(turned), *_wrist(view)])
        grown = cloud(place.rows, place.columns, 70, place.series_uid, place.number, "trabeculae") - 128
        # Thick bone adds less than thin bone does.
        shaft = bones * 4300 // (bones + 190) + (bones > 0) * (grown * 2 + 120)
        light = 220 + flesh * 2 + softened(shaft, blur)
        films.append((light + place.noise(64, view)).clip(0, 4095).astype(np.uint16))
    return np.stack(films)


def _flesh(fingers: tuple[tuple[Point, ...], ...]) -> list[Tube]:
    palm = [Tube(((0, 520), (finger[1][0] * 7 // 8, finger[1][1] + 40)), 220, 170) for finger in fingers[1:]]
    return [*palm, *(Tube(finger, 120, 84) for finger in fingers)]


def _bones(fingers: tuple[tuple[Point, ...], ...]) -> list[Tube]:
    """Return for each piece of a finger a shaft, narrower than its two ends, with a gap for the joint."""
    bones = []
    for finger in fingers:
        for index, (one, two) in enumerate(itertools.pairwise(finger)):
            head = _on_the_way(one, two, 80)
            foot = _on_the_way(one, two, 950)
            wide = 60 - 7 * index
            bones += [Tube((head, foot), wide * 5 // 8, wide * 5 // 8)]
            bones += [Tube((head, _on_the_way(one, two, 260)), wide, wide * 5 // 8)]
            bones += [Tube((_on_the_way(one, two, 800), foot), wide * 5 // 8, wide * 7 // 8)]
    return bones


def _on_the_way(one: Point, two: Point, share: int) -> Point:
    return one[0] + (two[0] - one[0]) * share // SCALE, one[1] + (two[1] - one[1]) * share // SCALE


def _wrist(view: int) -> list[Tube]:
    aside = 20 * view
    carpals = [Tube(((x + aside, y), (x + aside + 16, y + 14)), radius, radius - 6) for x, y, radius in _CARPALS]
    forearm = [(((-90, 740), (-110, 820), (-110, 1300)), 100, 64), (((116, 750), (126, 810), (120, 1300)), 64, 52)]
    return [*carpals, *(Tube(*bone) for bone in forearm)]


# True colour: what a workstation shows. One screen is a Secondary Capture, a run of them a multi-frame one.
SC_SCREENS: Final = 4
_ORGANS: Final = (
    Ellipsoid(70, (0, 0, 0), (800, 880, 1600)),
    Ellipsoid(110, (-330, -80, 0), (360, 400, 1000)),
    Ellipsoid(120, (350, 60, 0), (200, 300, 900)),
    Ellipsoid(20, (120, -340, 200), (220, 140, 700)),
    Ellipsoid(235, (0, 470, 0), (150, 150, 2400)),
    Ellipsoid(160, (60, 200, 0), (80, 80, 1900)),
)
_BARS: Final = ((255, 255, 255), (255, 255, 0), (0, 255, 255), (0, 255, 0), (255, 0, 255), (255, 0, 0), (0, 0, 255))


def _screen(place: Place, frame: int = 0, frames: int = 1) -> Pixels:
    """Return a workstation's screen as uint8 (rows, columns, 3): four views, a curve, grey steps and colour bars."""
    height, width = place.rows, place.columns
    screen = np.full((height, width, 3), (34, 36, 42), np.int64)
    screen[: max(1, height // 20)] = (52, 92, 150)
    left, top, side, tall = width // 5, height // 12, width * 2 // 5, height * 2 // 5
    for view in range(4):
        depth = place.depth(frame * 4 + view, frames * 4)
        cut = softened(pixels.slice_at(depth, _ORGANS, 0, max(1, tall - 2), max(1, side - 2)), 1, times=1)
        cut = cut + place.noise(16, view)[: cut.shape[0], : cut.shape[1]]
        y0, x0 = top + view // 2 * tall, left + view % 2 * side
        region = screen[y0 : y0 + cut.shape[0], x0 : x0 + cut.shape[1]]
        region[:] = (_fused(cut) if view == 3 else np.repeat(cut[:, :, np.newaxis], 3, axis=2))[
            : region.shape[0], : region.shape[1]
        ]
    panel = screen[top : top + 2 * tall, : left - 2]
    panel[:] = _with_curve(np.zeros_like(panel) + 20, place, (frame + 1) * 20 // frames)
    _write_bars(screen[top + 2 * tall + 2 :])
    return as_bytes(screen)


def _fused(cut: Pixels) -> Pixels:
    """Return grey values in the colours of hot iron."""
    return np.stack([cut * 3, (cut - 80) * 2, (cut - 170) * 3], axis=2).clip(0, 255)


def _with_curve(panel: Pixels, place: Place, count: int) -> Pixels:
    """Draw a list of entries, and under it two curves of uptake as far as `count` of their 20 steps."""
    height, width = panel.shape[:2]
    if min(height, width) < 8:
        return panel + 4 * count
    x, y = plane(height, width)
    right = SCALE * width // min(height, width)
    low = SCALE * height // min(height, width)
    entry = (y % 120 < 40) & (y < low // 4) & (x < right // 2 + (y // 120 * 217) % 400 - 200) & (x > 120 - right)
    panel = np.where(entry[:, :, np.newaxis], np.array((120, 128, 140)), panel)
    for number, colour in enumerate(((240, 90, 70), (90, 200, 240))):
        line = [
            (
                -right + 160 + (2 * right - 320) * at // 20,
                low - 120 - at * (32 - at - 8 * number) * 5 - draws.number(40, place.series_uid, number, at),
            )
            for at in range(count + 1)
        ]
        stroke, _ = tubes(x, y, [Tube(line, 16, 16)])
        panel = mixed(panel, colour, (stroke * 20).clip(0, 256))
    return panel


def _write_bars(strip: Pixels) -> None:
    """Fill a strip with grey steps from black to white above, and colour bars below."""
    height, width = strip.shape[:2]
    steps = np.arange(width) * 16 // width * 17
    strip[: height // 2] = steps[:, np.newaxis]
    strip[height // 2 :] = np.array(_BARS)[np.arange(width) * len(_BARS) // width]


def _screens(place: Place) -> Pixels:
    return np.stack([_screen(place, frame, SC_SCREENS) for frame in range(SC_SCREENS)])


_CAPTURED: Final[Attributes] = {
    "ImageType": ("DERIVED", "SECONDARY"),
    "PatientOrientation": "",
    "BurnedInAnnotation": "NO",
    "LossyImageCompression": "00",
    "SecondaryCaptureDeviceManufacturer": "SYNTHETIC",
    "SecondaryCaptureDeviceManufacturerModelName": "SYNTHETIC",
}
# PS3.3 C.8.6.3: a grey multi-frame capture is in presentation values as it stands.
_IDENTITY: Final[Attributes] = {
    "PresentationLUTShape": "IDENTITY",
    "RescaleIntercept": "0",
    "RescaleSlope": "1",
    "RescaleType": "US",
}
_DIGITIZED: Final[Attributes] = {"ConversionType": "DF"}
_FROM_SCREEN: Final[Attributes] = {"ConversionType": "WSD", "BodyPartExamined": "ABDOMEN"}
# A page shows no body part, so which side it is of is not known.
_FROM_PAPER: Final[Attributes] = {"ConversionType": "SD", "Laterality": ""}


def _pages(count: int) -> Attributes:
    return {
        "FrameIncrementPointer": 0x00182001,  # Page Number Vector
        "PageNumberVector": tuple(range(1, count + 1)),
    }


def _scanned_spacing(place: Place) -> Attributes:
    return {"NominalScannedPixelSpacing": (millimetres(240.0 / min(place.rows, place.columns)),) * 2}


SECONDARY_CAPTURE: Final = ImageClass(
    modality="OT", pixels=_COLOUR, paint=_screen, size=(600, 800), fixed={**_CAPTURED, **_FROM_SCREEN}
)
SINGLE_BIT: Final = ImageClass(
    modality="OT",
    pixels=PixelFormat(bits_stored=1, bits_allocated=1),
    paint=_fax,
    frames=SC_PAGES,
    size=(1200, 840),
    fixed={**_CAPTURED, **_FROM_PAPER, **_pages(SC_PAGES)},
)
GRAYSCALE_BYTE: Final = ImageClass(
    modality="OT",
    pixels=PixelFormat(bits_stored=8, bits_allocated=8),
    paint=_scan,
    frames=SC_PAGES,
    size=(1200, 840),
    fixed={**_CAPTURED, **_FROM_PAPER, **_IDENTITY, **_pages(SC_PAGES)},
)
GRAYSCALE_WORD: Final = ImageClass(
    modality="OT",
    pixels=PixelFormat(bits_stored=12),
    paint=_hand,
    frames=_FILM_VIEWS,
    size=(720, 576),
    fixed={
        **_CAPTURED,
        **_DIGITIZED,
        **_IDENTITY,
        **_pages(_FILM_VIEWS),
        "BodyPartExamined": "HAND",
        "Laterality": "R",
    },
    of_series=_scanned_spacing,
)
TRUE_COLOR: Final = ImageClass(
    modality="OT",
    pixels=_COLOUR,
    paint=_screens,
    frames=SC_SCREENS,
    size=(600, 800),
    fixed={**_CAPTURED, **_FROM_SCREEN, **_pages(SC_SCREENS)},
)
