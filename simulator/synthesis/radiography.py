"""CR, DX, mammography and intra-oral X-ray: projections, for presentation and for processing (PS3.3 C.8.11)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final

import numpy as np

from simulator.synthesis import pixels
from simulator.synthesis.annotation import lettering
from simulator.synthesis.canvas import Point, Tube, cloud, curve, tubes
from simulator.synthesis.encoding import Attributes
from simulator.synthesis.image_class import ImageClass, PixelFormat, Place, code, millimetres
from simulator.synthesis.pixels import SCALE, Ellipsoid, Pixels, shadow

_WHITE: Final = 4095
"""The greatest 12-bit sample."""

_NOISE: Final = 64

_KEPT: Final = 1 << 23
"""Pixels of the largest picture that is kept for the other instances of its series."""


class _Plate:
    """A detector being exposed: coordinates in units (see `pixels.axes`), and the attenuation so far, int64."""

    def __init__(self, rows: int, columns: int, wide: float = 1.0, high: float = 1.0, from_left: bool = False) -> None:
        x, self.y = pixels.axes(rows, columns, wide, high)
        # What hangs at the left edge of the picture is measured from there.
        self.x = x - x[0, 0] if from_left else x
        self.total = np.zeros((rows, columns), np.int64)

    def add(self, *parts: Ellipsoid) -> None:
        for part in parts:
            self.total += shadow(self.x, self.y, part)

    def add_tubes(self, gain: int, *drawn: Tube) -> None:
        """Add `gain`/256 for each unit of the way through the tubes."""
        self.total += self.thickness(*drawn) * gain >> 8

    def thickness(self, *drawn: Tube) -> Pixels:
        return tubes(self.x.astype(np.int64), self.y.astype(np.int64), drawn)[0]

    def add_share(self, value: int, share: Pixels) -> None:
        """Add `value` where `share` is 1, and less of it down to nothing where that is 0."""
        self.total += (share.clip(0.0, 1.0) * value).astype(np.int64)

    def inside(self, centre: Point, half: Point, edge: float) -> Pixels:
        """Return 1 in an ellipse and 0 outside, with a transition `edge` half axes wide."""
        across, down = (self.x - centre[0]) / half[0], (self.y - centre[1]) / half[1]
        return np.asarray(((1 - across * across - down * down) / (2 * edge)).clip(0.0, 1.0))

    def texture(self, grain: int, name: str) -> Pixels:
        """Return a cloud from -1 to 1; the same in every study, as all of the phantom is."""
        return np.asarray((cloud(*self.total.shape, grain, "texture", name) - 128) / 128)

    def write(self, text: str, centre: tuple[float, float], height: float, value: int) -> None:
        """Lay lead letters on it: `centre` in shares of the width and height, `height` in shares of the height."""
        rows, columns = self.total.shape
        ink = lettering(text, max(1, int(rows * height / 7)), tall=rows * height >= 7)[:, : columns - 2]
        top = int(max(0, min(rows - ink.shape[0], centre[1] * rows - ink.shape[0] / 2)))
        left = int(max(0, min(columns - ink.shape[1], centre[0] * columns - ink.shape[1] / 2)))
        self.total[top : top + ink.shape[0], left : left + ink.shape[1]][ink] = value

    def exposed(self, floor: int = 60) -> Pixels:
        """Return the picture as 12-bit uint16, with room for noise below `_WHITE`."""
        return self.total.clip(floor, _WHITE - _NOISE).astype(np.uint16)


def _both(points: Callable[[int], Tube]) -> Iterator[Tube]:
    yield from (points(-1), points(1))


def _posterior_rib(side: int, top: int) -> Tube:
    ways = ((70, top), (330, top - 130), (700, top - 40), (800, top + 290))
    return Tube(curve(*((side * x, y) for x, y in ways)), 32, 30)


def _anterior_rib(side: int, top: int) -> Tube:
    ways = ((800, top + 290), (770, top + 470), (560, top + 560), (330, top + 520))
    return Tube(curve(*((side * x, y) for x, y in ways)), 34, 40)


def _lung_vessel(side: int, x: int, y: int) -> Tube:
    start = (side * 170, -20 + y // 8)
    return Tube(curve(start, (side * 230, y // 3), (side * x * 2 // 3, y * 3 // 4), (side * x, y)), 26, 5)


def _chest_plate(rows: int, columns: int) -> Pixels:
    """Return a chest from behind, thick parts bright: lungs between ribs, heart, diaphragm, spine and clavicles."""
    plate = _Plate(rows, columns)
    x, y = plate.x, plate.y
    plate.add(
        Ellipsoid(1250, (0, 520, 0), (960, 1560, 1)),
        *(Ellipsoid(1050, (side * 640, -560, 0), (480, 330, 1)) for side in (-1, 1)),
        *(Ellipsoid(600, (side * 850, -250, 0), (210, 560, 1)) for side in (-1, 1)),
        Ellipsoid(1000, (0, -1050, 0), (250, 520, 1)),
    )
    plate.add_share(650, plate.inside((0, 700), (930, 1480), 0.06))
    lungs = np.zeros(plate.total.shape)
    for side, dome in ((-1, 330), (1, 430)):
        outline = plate.inside((side * 400, 20), (340, 850), 0.05)
        vault = dome + (x - side * 400) ** 2 / 620
        lungs = np.maximum(lungs, outline * ((vault - y) / 26).clip(0.0, 1.0))
    # Air lets nearly all through; towards the chest wall there is more in front and behind.
    air = 520 + 160 * plate.texture(9, "lung") + abs(abs(x) - 400) * 0.7 + (y + 800) * 0.12
    plate.total = (plate.total * (1 - lungs) + air * lungs).astype(np.int64)
    # The abdomen below, with gas in the stomach under the left dome.
    plate.add_share(420, (1 - lungs) * ((y - 330) / 240))
    plate.add_share(-420, plate.inside((400, 610), (170, 80), 0.3))
    # What lies between the lungs: its parts hide each other rather than add up.
    between = [
        700 * plate.inside((0, -60), (150, 1000), 0.4),
        900 * plate.inside((120, 270), (350, 270), 0.10),
        820 * plate.inside((-60, 230), (210, 240), 0.14),
        760 * plate.inside((70, 440), (300, 150), 0.2),
        640 * plate.inside((115, -330), (105, 110), 0.2),
        600 * plate.inside((140, -120), (100, 150), 0.3),
    ]
    hidden = np.maximum.reduce(between) * (0.45 + 0.55 * lungs)
    plate.total += hidden.astype(np.int64)
    plate.add_tubes(-1100, Tube(((0, -1100), (-6, -640), (-10, -300)), 46, 46))
    plate.add_tubes(-700, *_both(lambda side: Tube(((-10, -300), (side * 130, -140)), 34, 26)))
    vessels = [
        _lung_vessel(side, x_end, y_end)
        for side in (-1, 1)
        for x_end, y_end in ((480, -560), (620, -330), (690, -60), (660, 200), (540, 330), (330, -640), (420, 290))
    ]
    plate.total += (plate.thickness(*vessels) * lungs * 7).astype(np.int64)
    plate.add_share(260, plate.inside((-190, -10), (80, 150), 0.7) + plate.inside((200, -40), (80, 140), 0.7))
    # Vertebrae: darker discs between them, and their arches.
    plate.add_share(330, plate.inside((0, 100), (95, 1400), 0.3))
    for level in range(-900, 1024, 128):
        plate.add_share(150, plate.inside((0, level), (92, 54), 0.3))
        plate.add_share(120, plate.inside((0, level + 10), (20, 40), 0.3))
    for number, top in enumerate(range(-700, 500, 140)):
        for side in (-1, 1):
            plate.add_tubes(1700, _posterior_rib(side, top))
            # The lower ribs end in cartilage, which does not show.
            plate.add_tubes(max(0, 900 - 110 * number), _anterior_rib(side, top))
    for side in (-1, 1):
        clavicle = curve((side * 95, -560), (side * 300, -590), (side * 480, -770), (side * 830, -740))
        plate.add_tubes(1900, Tube(clavicle, 38, 32))
        blade = curve((side * 720, -660), (side * 690, -420), (side * 720, -200), (side * 800, 10))
        plate.add_tubes(500, Tube(blade, 40, 30))
        plate.add_share(420, plate.inside((side * 900, -620), (130, 130), 0.2))
    # The patient's left is at the right (Patient Orientation L, F).
    plate.write("L", (0.93, 0.12), 0.055, _WHITE - _NOISE)
    return plate.exposed()


def _breast_plate(rows: int, columns: int, laterality: str, position: str) -> Pixels:
    """Return a compressed breast; a left one has its chest wall at the left edge, a right one is its mirror image."""
    plate = _Plate(rows, columns, 1.0, 1.25, from_left=True)
    oblique = position == "MLO"
    x, y = plate.x, plate.y
    middle = 170 if oblique else 0
    outline = plate.inside((0, middle), (1330, 1010), 0.035)
    if oblique:
        # Towards the armpit the skin runs on to the upper edge.
        outline = np.maximum(outline, ((860 - x - (y + 1280) * 0.12) / 60).clip(0.0, 1.0) * (y < middle))
    skin = outline * (1 - plate.inside((0, middle), (1302, 982), 0.03))
    plate.add_share(1000, outline)
    plate.add_share(560, skin * ((y + 620) / 240).clip(0.0, 1.0) if oblique else skin)
    fat = plate.texture(9, "fat") * 160 + plate.texture(40, "septa") * 110
    plate.total += (outline * fat).astype(np.int64)
    # Glandular tissue: a cone towards the nipple, broken up by fat.
    lobes = plate.texture(7, "lobes") * 0.75 + plate.texture(22, "lobules") * 0.45
    cone = plate.inside((520, middle), (640, 640), 0.42) + lobes * 0.62 - 0.12
    gland = (cone.clip(0.0, 1.0) * outline).clip(0.0, 1.0)
    plate.add_share(1450, gland)
    plate.total += (gland * plate.texture(60, "grain") * 260).astype(np.int64)
    ducts = [
        Tube(curve((1310, middle), (1120, middle + lean // 4), (900, middle + lean), (560, middle + lean * 2)), 11, 7)
        for lean in (-260, -170, -80, 20, 110, 210, 300)
    ]
    plate.add_tubes(2200, *ducts)
    plate.add_tubes(2600, Tube(curve((60, -420), (420, -560), (700, -480), (1010, -240)), 10, 5))
    plate.add_tubes(2200, Tube(curve((60, 640), (380, 720), (640, 560), (880, 430)), 9, 5))
    plate.add_share(900, plate.inside((1345, middle), (44, 62), 0.3))
    # A round mass, and a group of microcalcifications.
    plate.add_share(620, plate.inside((620, middle + 300), (92, 84), 0.14))
    for step in range(9):
        at = (840 + step * 53 % 120, middle - 210 + step * 37 % 100)
        plate.add_share(1500, plate.inside(at, (7 + step % 4, 8), 0.5))
    if oblique:
        muscle = ((720 - x - (y + 1280) * 0.5) / 130).clip(0.0, 1.0)
        plate.total += (muscle * (1750 + plate.texture(30, "muscle") * 110) * (1 - 0.5 * gland)).astype(np.int64)
        plate.add_share(900, plate.inside((560, -1020), (70, 52), 0.3))
    right = laterality == "R"
    if right:
        plate.total = np.ascontiguousarray(plate.total[:, ::-1])
    # On the side of the armpit, away from the breast; lower where burned-in text would meet it.
    place = (0.16 if right else 0.84, 0.24 if rows >= 256 else 0.86)
    plate.write(laterality + position, place, 0.03, _WHITE - _NOISE)
    return plate.exposed()


# Where the middle of a crown is, its half width, and its roots: how far they lean from there at the tip.
_TEETH: Final[tuple[tuple[int, int, tuple[int, ...]], ...]] = (
    (-930, 290, (10,)),
    (-150, 450, (-235, 255)),
    (770, 435, (-215, 235)),
)


def _roots(middle: int, half: int, leans: tuple[int, ...], extra: int = 0) -> list[Tube]:
    wide = half * 9 // 10 if len(leans) == 1 else half * 11 // 20
    return [
        Tube(
            curve((start, -190), (start, 150), (middle + lean, 350), (middle + lean * 21 // 20, 690 + extra)),
            wide + extra,
            46 + extra,
        )
        for lean in leans
        for start in (middle + (lean * 4 // 5 if len(leans) > 1 else 0),)
    ]


def _teeth_plate(rows: int, columns: int) -> Pixels:
    """Return three lower teeth as a sensor behind them sees them: crowns in air, roots in bone, one with a filling."""
    plate = _Plate(rows, columns, 4 / 3, 1.0)
    x, y = plate.x, plate.y
    crest = -20 + abs((x + 2400) % 840 - 420) * 0.12
    bone = ((y - crest) / 60).clip(0.0, 1.0)
    roots = [root for tooth in _TEETH for root in _roots(*tooth)]
    sockets = plate.thickness(*(socket for tooth in _TEETH for socket in _roots(*tooth, 13)))
    laminae = plate.thickness(*(lamina for tooth in _TEETH for lamina in _roots(*tooth, 30)))
    gum = ((y + 240) / 200).clip(0.0, 1.0)
    plate.add_share(420, gum)
    trabeculae = plate.texture(34, "trabeculae") * 230 + plate.texture(70, "fine trabeculae") * 150
    plate.total += (bone * (1000 + trabeculae) * (sockets == 0)).astype(np.int64)
    plate.add_share(520, bone * ((laminae > 0) & (sockets == 0)))
    # The canal of the nerve and the dense lower border of the jaw.
    plate.add_tubes(-700, Tube(curve((-1500, 930), (-500, 860), (400, 870), (1500, 760)), 52, 56))
    dentine = plate.thickness(*roots).clip(0, 300) / 300
    enamel = np.zeros(plate.total.shape)
    pulp = np.zeros(plate.total.shape)
    for middle, half, leans in _TEETH:
        cusps = 34 * (abs((x - middle + 2 * half) % half - half / 2) * 4 / half - 1)
        crown = _crown(plate, (middle, -430), (half, 330), cusps)
        core = _crown(plate, (middle, -360), (half - 80, 270), cusps)
        enamel = np.maximum(enamel, crown * (1 - core))
        dentine = np.maximum(dentine, crown)
        chamber = plate.inside((middle, -225), (half * 9 // 20, 85), 0.3)
        canals = plate.thickness(*_canals(middle, half, leans)).clip(0, 44) / 44
        pulp = np.maximum(pulp, np.maximum(chamber, canals))
    plate.add_share(1750, dentine)
    plate.add_share(850, enamel)
    plate.add_share(-760, pulp)
    filling = _crown(plate, (-110, -640), (215, 110), 0 * x)
    plate.add_share(2400, filling)
    return plate.exposed()


def _canals(middle: int, half: int, leans: tuple[int, ...]) -> list[Tube]:
    return [Tube(root.points, 30, 12) for root in _roots(middle, half, leans)]


def _crown(plate: _Plate, centre: Point, half: Point, cusps: Pixels) -> Pixels:
    """Return 1 in a rounded square with a wavy upper side, and 0 outside."""
    across = (plate.x - centre[0]) / half[0]
    down = (plate.y - centre[1] - np.where(plate.y < centre[1], cusps, 0)) / half[1]
    # The necks of teeth are narrower than their crowns.
    across = across * (1 + 0.18 * (down > 0) * down)
    return np.asarray((4 * (1 - across**2 * across**2 - down**2 * down**2)).clip(0.0, 1.0))


_Expose = Callable[..., Pixels]


@lru_cache(maxsize=4)
def _kept(expose: _Expose, rows: int, columns: int, *view: str) -> Pixels:
    return expose(rows, columns, *view)


def _exposure(expose: _Expose, place: Place, *view: str) -> Pixels:
    """Return one picture of a series as 12-bit uint16: what all have in common, and noise of its own."""
    made = _kept if place.rows * place.columns <= _KEPT else _fresh
    picture = made(expose, place.rows, place.columns, *view) + place.noise(_NOISE)
    return place.numbered(picture)


def _fresh(expose: _Expose, rows: int, columns: int, *view: str) -> Pixels:
    return expose(rows, columns, *view)


def _chest(place: Place) -> Pixels:
    return _exposure(_chest_plate, place)


def _teeth(place: Place) -> Pixels:
    return _exposure(_teeth_plate, place)


def _breast(place: Place) -> Pixels:
    view = _view(place)
    return _exposure(_breast_plate, place, view["ImageLaterality"], view["ViewPosition"])


def _raw(paint: Callable[[Place], Pixels]) -> Callable[[Place], Pixels]:
    """Turn a picture round, as a detector gives it: much X-ray, great value."""

    def turned(place: Place) -> Pixels:
        picture = paint(place)
        return np.subtract(np.uint16(_WHITE), picture, out=picture)

    return turned


def _imager_spacing(field: float, wide: float = 1.0, high: float = 1.0) -> Callable[[Place], Attributes]:
    """Return Imager Pixel Spacing of square pixels: 2048 units (see `pixels.axes`) are `field` mm."""

    def spacing(place: Place) -> Attributes:
        pitch = field * pixels.pitch(place.rows, place.columns, wide, high) / (2 * SCALE)
        return {"ImagerPixelSpacing": (millimetres(pitch),) * 2}

    return spacing


_CHEST_SPACING: Final = _imager_spacing(430.0)
_BREAST_SPACING: Final = _imager_spacing(240.0, 1.0, 1.25)
_TEETH_SPACING: Final = _imager_spacing(30.0, 4 / 3, 1.0)
_CHEST_SIZE: Final = (1024, 1024)
_BREAST_SIZE: Final = (1280, 1024)
_TEETH_SIZE: Final = (480, 640)


# What the DX, MG and IO IODs have in common: DX Image, DX Detector and Acquisition Context modules.
_DIGITAL: Final[Attributes] = {
    "PixelIntensityRelationship": "LOG",
    "RescaleIntercept": "0",
    "RescaleSlope": "1",
    "RescaleType": "US",
    "LossyImageCompression": "00",
    # The text that is burned in names no patient and no date, which is what this attribute is about.
    "BurnedInAnnotation": "NO",
    "DetectorType": "DIRECT",
    "AcquisitionContextSequence": (),
}
# PS3.3 C.8.11.3: VOI LUT Module required for presentation and forbidden for processing; sign -1 where a greater
# value means less X-ray; the LUT shape says the same as the photometric interpretation.
_FOR_PRESENTATION: Final[Attributes] = {
    "PresentationIntentType": "FOR PRESENTATION",
    "ImageType": ("DERIVED", "PRIMARY"),
    "PixelIntensityRelationshipSign": -1,
    "PresentationLUTShape": "IDENTITY",
    "WindowCenter": "2048",
    "WindowWidth": "4096",
}
_FOR_PROCESSING: Final[Attributes] = {
    "PresentationIntentType": "FOR PROCESSING",
    "ImageType": ("ORIGINAL", "PRIMARY"),
    "PixelIntensityRelationshipSign": 1,
    "PresentationLUTShape": "INVERSE",
}
_PRESENTED: Final = PixelFormat(bits_stored=12)
_PROCESSED: Final = PixelFormat(bits_stored=12, photometric="MONOCHROME1")

_DX: Final[Attributes] = {
    **_DIGITAL,
    "BodyPartExamined": "CHEST",
    "ViewPosition": "PA",
    "ViewCodeSequence": (code("272479007", "SCT", "postero-anterior"),),
    "PositionerType": "COLUMN",
    "PatientOrientation": ("L", "F"),
    "ImageLaterality": "U",
    "AnatomicRegionSequence": (code("816094009", "SCT", "Chest"),),
    "KVP": "110",
}
_MG: Final[Attributes] = {
    **_DIGITAL,
    "BodyPartExamined": "BREAST",
    "OrganExposed": "BREAST",
    "PositionerType": "MAMMOGRAPHIC",
    "BreastImplantPresent": "NO",
    "PartialView": "NO",
    "AnatomicRegionSequence": (code("76752008", "SCT", "Breast"),),
    "KVP": "28",
}
_IO: Final[Attributes] = {
    **_DIGITAL,
    "BodyPartExamined": "JAW",
    "PositionerType": "NONE",
    "PatientOrientation": ("P", "F"),
    "ImageLaterality": "L",
    "AnatomicRegionSequence": (code("661005", "SCT", "Jaw region"),),
    # PS3.16 CID 4018, from left to right in the picture.
    "PrimaryAnatomicStructureSequence": (
        code("24573005", "SCT", "Mandibular left second premolar tooth"),
        code("866006002", "SCT", "Mandibular left first molar tooth"),
        code("863898000", "SCT", "Mandibular left second molar tooth"),
    ),
    "KVP": "65",
}

# PS3.16 CID 4014. A screening series goes round these four, so a series of four is a whole examination.
_CC: Final = {**code("399162004", "SCT", "cranio-caudal"), "ViewModifierCodeSequence": ()}
_MLO: Final = {**code("399368009", "SCT", "medio-lateral oblique"), "ViewModifierCodeSequence": ()}


def _breast_view(laterality: str, position: str, view: Attributes, orientation: tuple[str, str]) -> Attributes:
    return {
        "ImageLaterality": laterality,
        "ViewPosition": position,
        "ViewCodeSequence": (view,),
        "PatientOrientation": orientation,
    }


_BREAST_VIEWS: Final = (
    _breast_view("R", "CC", _CC, ("P", "L")),
    _breast_view("L", "CC", _CC, ("A", "R")),
    _breast_view("R", "MLO", _MLO, ("P", "FL")),
    _breast_view("L", "MLO", _MLO, ("A", "FR")),
)


def _view(place: Place) -> Attributes:
    return _BREAST_VIEWS[(place.number - 1) % len(_BREAST_VIEWS)]


CR: Final = ImageClass(
    modality="CR",
    pixels=_PRESENTED,
    paint=_chest,
    fixed={
        "ImageType": ("ORIGINAL", "PRIMARY"),
        "BodyPartExamined": "CHEST",
        "ViewPosition": "PA",
        "PatientOrientation": ("L", "F"),
        "KVP": "110",
        "WindowCenter": "2048",
        "WindowWidth": "4096",
    },
    of_series=_CHEST_SPACING,
    size=_CHEST_SIZE,
)
DX_FOR_PRESENTATION: Final = ImageClass(
    "DX", _PRESENTED, _chest, {**_DX, **_FOR_PRESENTATION}, _CHEST_SPACING, size=_CHEST_SIZE
)
DX_FOR_PROCESSING: Final = ImageClass(
    "DX", _PROCESSED, _raw(_chest), {**_DX, **_FOR_PROCESSING}, _CHEST_SPACING, size=_CHEST_SIZE
)
MG_FOR_PRESENTATION: Final = ImageClass(
    "MG", _PRESENTED, _breast, {**_MG, **_FOR_PRESENTATION}, _BREAST_SPACING, _view, size=_BREAST_SIZE
)
MG_FOR_PROCESSING: Final = ImageClass(
    "MG", _PROCESSED, _raw(_breast), {**_MG, **_FOR_PROCESSING}, _BREAST_SPACING, _view, size=_BREAST_SIZE
)
IO_FOR_PRESENTATION: Final = ImageClass(
    "IO", _PRESENTED, _teeth, {**_IO, **_FOR_PRESENTATION}, _TEETH_SPACING, size=_TEETH_SIZE
)
IO_FOR_PROCESSING: Final = ImageClass(
    "IO", _PROCESSED, _raw(_teeth), {**_IO, **_FOR_PROCESSING}, _TEETH_SPACING, size=_TEETH_SIZE
)
