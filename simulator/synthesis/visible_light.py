"""Visible light: endoscope, microscope and camera, in colour by pixel (PS3.3 A.32)."""

from __future__ import annotations

from typing import Final

import numpy as np

from simulator.synthesis import draws
from simulator.synthesis.canvas import Point, Tube, as_bytes, cloud, curve, mixed, plane, reach, shaded, softened, tubes
from simulator.synthesis.encoding import Attributes
from simulator.synthesis.image_class import ImageClass, PixelFormat, Place, code, millimetres
from simulator.synthesis.pixels import SCALE, Pixels
from simulator.synthesis.uids import uid

_COLOUR: Final = PixelFormat(bits_stored=8, bits_allocated=8, photometric="RGB", samples=3)
_GREATEST_NUCLEUS: Final = 46
SLIDE_PIXEL: Final = 0.0005
"""Millimetres on the slide from one pixel to the next."""

SLIDE_STEP: Final = 0.4
"""Millimetres that the stage moves from one picture to the next."""


def _drawn(place: Place, span: int, *parts: object) -> int:
    """Return an integer in [-`span`, `span`) that belongs to this picture."""
    return draws.number(2 * span, place.series_uid, place.number, *parts) - span


def _cloud(place: Place, grain: int, name: str) -> Pixels:
    return cloud(place.rows, place.columns, grain, place.series_uid, place.number, name)


def _colon(place: Place) -> Pixels:
    """Return what an endoscope sees: mucosa in a circle, folds round a dark lumen, vessels, a polyp, reflections."""
    x, y = plane(place.rows, place.columns)
    lumen = (_drawn(place, 220, "lumen x"), _drawn(place, 220, "lumen y"))
    rough = _cloud(place, 4, "rough") - 128
    away = reach(x, y, lumen, (SCALE, SCALE)) + rough
    far = np.sqrt(away.clip(0).astype(np.float64) * SCALE).astype(np.int64)
    # Folds stand closer the deeper they lie.
    ring = (np.sqrt(far.astype(np.float64)) * 160).astype(np.int64) % 1024
    fold = abs(ring - 512) * 90 // 512
    light = 70 + far.clip(0, 900) * 170 // 900 + fold * far.clip(0, 500) // 500 - 40
    light = light + (_cloud(place, 30, "mucosa") - 128) // 7 - reach(x, y, (0, 0), (SCALE, SCALE)) * 50 // SCALE
    light = (light * far.clip(0, 330) // 330).clip(0)
    picture = shaded((236, 124, 98), light)
    vessels, _ = tubes(x, y, _vessels(place))
    picture = mixed(picture, (150, 30, 34), softened(vessels * 9, 1, times=1).clip(0, 110))
    picture = _with_polyp(place, picture, x, y)
    shine = (fold > 62) & (_cloud(place, 26, "shine") > 186) & (far > 260)
    picture = mixed(picture, (255, 250, 240), softened(shine * 230, max(1, place.rows // 240)))
    corners = (abs(x) < 980) & (abs(y) < 980) & (abs(x) + abs(y) < 1620)
    return as_bytes(np.where(corners[:, :, np.newaxis], picture, 4))


def _vessels(place: Place) -> list[Tube]:
    grown = []
    for number in range(9):
        start = (_drawn(place, 1000, "vessel x", number), _drawn(place, 1000, "vessel y", number))
        turns: list[Point] = [start]
        for step in range(3):
            turns.append(
                (
                    turns[-1][0] + _drawn(place, 280, "x", number, step),
                    turns[-1][1] + _drawn(place, 280, "y", number, step),
                )
            )
        trunk = Tube(curve(*turns), 11, 5)
        fork = trunk.points[5]
        end = (fork[0] + _drawn(place, 240, "fork x", number), fork[1] + _drawn(place, 240, "fork y", number))
        grown += [trunk, Tube((fork, end), 6, 4)]
    return grown


def _with_polyp(place: Place, picture: Pixels, x: Pixels, y: Pixels) -> Pixels:
    side = 1 if _drawn(place, 100, "polyp side") >= 0 else -1
    centre = (side * 470 + _drawn(place, 80, "polyp x"), 330 + _drawn(place, 120, "polyp y"))
    shadow = (SCALE - reach(x, y, (centre[0] + 20, centre[1] + 50), (230, 190))).clip(0)
    picture = mixed(picture, (60, 14, 16), shadow * 150 // SCALE)
    dome = SCALE - reach(x, y, centre, (190, 165)) - (_cloud(place, 14, "polyp") - 128)
    height = np.sqrt(dome.clip(0).astype(np.float64) * SCALE).astype(np.int64)
    lit = 110 + height * 130 // SCALE + (_cloud(place, 60, "pits") - 128) // 6
    ball = shaded((238, 108, 96), lit)
    return np.where((dome > 0)[:, :, np.newaxis], ball, picture)


def _nuclei(place: Place, across: int, keep: int) -> tuple[Pixels, Pixels]:
    """Return two maps over a jittered grid of cells, `across` along the shorter side.

    First how deep each pixel lies in a nucleus (0 outside to 1024 in its middle), then how dark that nucleus is
    stained (0 to 255). Of 256 cells `keep` have a nucleus.
    """
    x, y = plane(place.rows, place.columns)
    pitch = 2 * SCALE // across
    depth = np.zeros((place.rows, place.columns), np.int64)
    stain = np.zeros_like(depth)
    for shift in (0, 1, 2, 3):
        # Four grids laid over each other, half a pitch apart, break up the rows.
        column = (x + 8 * SCALE + (shift % 2) * pitch // 2) // pitch
        row = (y + 8 * SCALE + (shift // 2) * pitch // 2) // pitch
        chance = np.frombuffer(draws.noise(5 << 16, place.series_uid, place.number, "nuclei", shift), np.uint8)
        cell = (row * 256 + column) % (1 << 16)
        dice = chance.reshape(5, -1).astype(np.int64)[:, cell]
        middle_x = column * pitch - 8 * SCALE - (shift % 2) * pitch // 2 + pitch // 2 + (dice[0] - 128) * pitch // 900
        middle_y = row * pitch - 8 * SCALE - (shift // 2) * pitch // 2 + pitch // 2 + (dice[1] - 128) * pitch // 900
        size = pitch * (20 + dice[2] * _GREATEST_NUCLEUS // 512) // 128
        slant = (dice[3] - 128) * (x - middle_x) // 400
        inside = SCALE - ((x - middle_x) ** 2 + (y - middle_y + slant) ** 2 * 3 // 2) * SCALE // (size * size)
        found = (inside > 0) & (dice[4] < keep) & (depth == 0)
        depth = np.where(found, inside, depth)
        stain = np.where(found, dice[3], stain)
    return depth, stain


def _stained(
    place: Place, tissue: tuple[int, int, int], nucleus: tuple[int, int, int], across: int
) -> tuple[Pixels, Pixels]:
    """Return a section (rows, columns, 3) int64, glands with nuclei round their rim, and where they are open."""
    x, y = plane(place.rows, place.columns)
    fibres = (_cloud(place, 40, "fibres") * 2 + _cloud(place, 9, "density") * 2 + _cloud(place, 90, "grain")) // 5
    picture = mixed(np.full((place.rows, place.columns, 3), (250, 246, 250), np.int64), tissue, 70 + fibres * 3 // 4)
    depth, stain = _nuclei(place, across, 84)
    rim = np.zeros((place.rows, place.columns), bool)
    lumen = np.zeros_like(rim)
    for number in range(9):
        at = (
            -1220 + 620 * (number % 5) + 310 * (number // 5) + _drawn(place, 90, "gland x", number),
            -430 + 860 * (number // 5) + _drawn(place, 200, "gland y", number),
        )
        axes = (250 + _drawn(place, 60, "gland a", number), 230 + _drawn(place, 70, "gland b", number))
        wall = reach(x, y, at, axes) + (_cloud(place, 7, "outline") - 128) * 2
        picture = mixed(picture, tissue, (wall < SCALE) * 110)
        lumen |= wall < 260
        rim |= (wall > 480) & (wall < SCALE * 11 // 10)
        depth = np.where(wall < 480, 0, depth)
    picture = np.where(lumen[:, :, np.newaxis], np.array((247, 243, 248)), picture)
    crowd, dark = _nuclei(place, across, 210)
    depth, stain = np.where(rim & (depth == 0), crowd, depth), np.where(rim & (depth == 0), dark, stain)
    depth = np.where(lumen, 0, depth)
    chromatin = _cloud(place, 120, "chromatin") - 128
    edge = (depth > 0) & (depth < 300)
    cover = np.where(depth > 0, 170 + stain // 6 + edge * 30 + chromatin // 4, 0).clip(0, 250)
    return mixed(picture, nucleus, softened(cover, place.rows // 400, times=1)), lumen


def _histology(place: Place) -> Pixels:
    """Return a section stained with haematoxylin and eosin as uint8 (rows, columns, 3)."""
    return as_bytes(_stained(place, (222, 132, 178), (74, 44, 128), 26)[0])


def _immunohistology(place: Place) -> Pixels:
    """Return a section with brown (DAB) where an antibody bound, and blue nuclei, as uint8 (rows, columns, 3)."""
    picture, lumen = _stained(place, (206, 206, 226), (84, 104, 164), 32)
    bound = np.where(lumen, 0, (_cloud(place, 5, "bound") - 120).clip(0, 40))
    depth, _ = _nuclei(place, 32, 150)
    return as_bytes(mixed(picture, (116, 66, 24), softened((depth > 0) * bound * 5, 1, times=1).clip(0, 230)))


def _skin(place: Place) -> Pixels:
    """Return a pigmented lesion on skin beside a millimetre scale as uint8 (rows, columns, 3)."""
    x, y = plane(place.rows, place.columns)
    relief = (_cloud(place, 70, "pores") - 128) // 7 + (_cloud(place, 160, "furrows") - 128) // 9
    light = 236 + relief + (_cloud(place, 3, "flush") - 128) // 8 - (x + y) // 60
    picture = shaded((222, 170, 142), light)
    centre = (_drawn(place, 160, "lesion x"), -120 + _drawn(place, 120, "lesion y"))
    axes = (400 + _drawn(place, 110, "lesion a"), 330 + _drawn(place, 90, "lesion b"))
    outline = (
        reach(x, y, centre, axes) + (_cloud(place, 6, "outline") - 128) * 5 + (_cloud(place, 22, "edge") - 128) * 2
    )
    pigment = (SCALE - outline).clip(0, 420) * 230 // 420
    picture = mixed(picture, (196, 104, 92), (SCALE * 13 // 10 - outline).clip(0, 400) * 70 // 400)
    picture = mixed(picture, (112, 66, 44), pigment * (150 + _cloud(place, 30, "network") // 3) // 256)
    picture = mixed(picture, (46, 26, 24), pigment * (_cloud(place, 5, "depth") - 100).clip(0, 90) // 100)
    hairs, _ = tubes(x, y, _hairs(place))
    picture = mixed(picture, (60, 42, 36), (hairs * 22).clip(0, 190))
    return as_bytes(_with_scale(picture, x, y))


def _hairs(place: Place) -> list[Tube]:
    grown = []
    for number in range(14):
        root = (_drawn(place, 1300, "root x", number), _drawn(place, 900, "root y", number))
        bent = (root[0] + 90 + _drawn(place, 60, "bent", number), root[1] + 60)
        tip = (root[0] + 190 + _drawn(place, 60, "tip x", number), root[1] + 190 + _drawn(place, 90, "tip y", number))
        grown.append(Tube(curve(root, bent, bent, tip), 6, 3))
    return grown


def _with_scale(picture: Pixels, x: Pixels, y: Pixels) -> Pixels:
    """Lay a paper scale along the lower edge: a tick for every millimetre, longer ones for 5 and 10."""
    paper = np.broadcast_to((y > 700) & (y < 900), (y.size, x.size))
    picture = np.where(paper[:, :, np.newaxis], np.array((238, 238, 232)), picture)
    millimetre = (x + 4000) // 40
    high = np.where(millimetre % 10 == 0, 130, np.where(millimetre % 5 == 0, 95, 60))
    tick = ((x + 4000) % 40 < 12) & (y > 700) & (y < 700 + high)
    return np.where(tick[:, :, np.newaxis], np.array((30, 30, 34)), picture)


# PS3.3 C.8.12.1; what a dye or a lens shows is told in codes.
_VISIBLE: Final[Attributes] = {
    "ImageType": ("ORIGINAL", "PRIMARY"),
    "LossyImageCompression": "00",
    "BurnedInAnnotation": "NO",
    "PatientOrientation": "",
    "AcquisitionContextSequence": (),
}
_COLON: Final = code("71854001", "SCT", "Colon")
_BACK: Final = code("77568009", "SCT", "Back")


def _specimen(place: Place) -> Attributes:
    """Return the Specimen module (PS3.3 C.7.6.22): one section of colon on one slide."""
    slide = uid("specimen", place.series_uid)
    return {
        "ContainerIdentifier": "SYNTHETIC-1",
        "IssuerOfTheContainerIdentifierSequence": (),
        "ContainerTypeCodeSequence": (code("433466003", "SCT", "Microscope slide"),),
        "SpecimenDescriptionSequence": (
            {
                "SpecimenIdentifier": "SYNTHETIC-1-A",
                "SpecimenUID": slide,
                "IssuerOfTheSpecimenIdentifierSequence": (),
                "SpecimenPreparationSequence": (),
            },
        ),
    }


def _slide_series(place: Place) -> Attributes:
    return {
        **_specimen(place),
        "FrameOfReferenceUID": uid("frame of reference", place.series_uid),
        "PositionReferenceIndicator": "SLIDE_CORNER",
    }


def _slide_position(place: Place) -> Attributes:
    centre = {
        "XOffsetInSlideCoordinateSystem": millimetres(12 + (place.number - 1) * SLIDE_STEP),
        "YOffsetInSlideCoordinateSystem": millimetres(8),
        "ZOffsetInSlideCoordinateSystem": "0",
    }
    return {"ImageCenterPointCoordinatesSequence": (centre,)}


VL_ENDOSCOPIC: Final = ImageClass(
    modality="ES",
    pixels=_COLOUR,
    paint=_colon,
    size=(576, 640),
    fixed={**_VISIBLE, "BodyPartExamined": "COLON", "AnatomicRegionSequence": (_COLON,)},
)
VL_MICROSCOPIC: Final = ImageClass(
    modality="GM",
    pixels=_COLOUR,
    paint=_histology,
    size=(600, 800),
    fixed={**_VISIBLE, "BodyPartExamined": "COLON", "AnatomicRegionSequence": (_COLON,)},
    of_series=_specimen,
)
VL_SLIDE_COORDINATES: Final = ImageClass(
    modality="SM",
    pixels=_COLOUR,
    paint=_immunohistology,
    size=(600, 800),
    fixed={**_VISIBLE, "BodyPartExamined": "COLON", "AnatomicRegionSequence": (_COLON,)},
    of_series=_slide_series,
    of_instance=_slide_position,
)
VL_PHOTOGRAPHIC: Final = ImageClass(
    modality="XC",
    pixels=_COLOUR,
    paint=_skin,
    size=(600, 800),
    fixed={**_VISIBLE, "BodyPartExamined": "BACK", "AnatomicRegionSequence": (_BACK,)},
)
