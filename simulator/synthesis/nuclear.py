"""Nuclear medicine: a whole body bone scan from the front and from behind (PS3.3 A.5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from simulator.synthesis import draws
from simulator.synthesis.canvas import Point, Tube, curve, plane, reach, softened, tubes
from simulator.synthesis.encoding import Attributes
from simulator.synthesis.image_class import ImageClass, PixelFormat, Place, code, millimetres
from simulator.synthesis.pixels import SCALE, Pixels

NM_FIELD: Final = 600.0
"""Millimetres across the scan; it is four times as long."""

_DETECTORS: Final = 2
"""The one in front of the patient, and the one behind: a frame of each."""

_WHOLE_BODY: Final = (1, 4)
"""Width and height of the frame that the body is drawn in."""


def _mirrored(*points: Point) -> list[tuple[Point, ...]]:
    return [tuple((side * x, y) for x, y in points) for side in (-1, 1)]


def _skeleton() -> tuple[Tube, ...]:
    limbs = [
        *((line, 46, 38) for line in _mirrored((450, -2480), (600, -1500), (640, -1420))),  # upper arm
        *((line, 34, 30) for line in _mirrored((650, -1380), (720, -620))),  # forearm
        *((line, 48, 30) for line in _mirrored((740, -560), (760, -260))),  # hand
        *((line, 58, 50) for line in _mirrored((350, 120), (330, 300), (260, 1500))),  # thigh
        *((line, 48, 36) for line in _mirrored((250, 1720), (230, 3000))),  # leg
        *((line, 50, 44) for line in _mirrored((230, 3080), (330, 3280))),  # foot
        *((line, 36, 30) for line in _mirrored((60, -2560), (430, -2620))),  # collar bone
    ]
    ribs = [
        curve((side * 60, top), (side * 300, top - 150), (side * 470, top + 60), (side * 330, top + 330))
        for side in (-1, 1)
        for top in range(-2350, -1250, 120)
    ]
    return (*(Tube(*limb) for limb in limbs), *(Tube(rib, 24, 18) for rib in ribs))


_SKELETON: Final = _skeleton()
_LIMBS: Final = 14
"""Bones of the skeleton, from the first on, that lie in arms, legs and shoulders."""

_SPINE: Final = Tube(((0, -2900), (0, -2000), (0, -420)), 60, 100)
# Centre and half axes of what takes up more than the bones around it, with the counts in its middle.
_SHARED_ORGANS: Final = (
    ((0, -3300), (240, 330), 14),  # skull
    ((-230, -100), (230, 260), 22),  # ilium
    ((230, -100), (230, 260), 22),
    ((-250, 1600), (100, 100), 22),  # knee
    ((250, 1600), (100, 100), 22),
    ((-450, -2500), (110, 110), 22),  # shoulder
    ((450, -2500), (110, 110), 22),
)
_IN_FRONT: Final = (*_SHARED_ORGANS, ((0, -1950), (70, 420), 22), ((0, 60), (120, 100), 70))  # sternum, bladder
_BEHIND: Final = (
    *_SHARED_ORGANS,
    ((-230, -1050), (100, 190), 26),  # kidneys
    ((230, -1050), (100, 190), 26),
    ((0, -120), (150, 250), 40),  # sacrum
    ((0, 90), (110, 90), 40),
)
_SITES: Final[tuple[Point, ...]] = (
    (-380, -1900),
    (360, -1640),
    (20, -1300),
    (0, -800),
    (-260, -140),
    (290, 620),
    (60, -2300),
)
"""Where a metastasis may sit."""


def _bone_scan(place: Place) -> Pixels:
    """Return uint16 counts (2, rows, columns): the whole body from the front and from behind, with hot spots."""
    x, y = plane(place.rows, place.columns, *_WHOLE_BODY)
    first = draws.number(len(_SITES), place.series_uid, place.number)
    spots = [(_SITES[(first + step) % len(_SITES)], (80, 80), 60) for step in (0, 2, 3)]
    bones, _ = tubes(x, y, _SKELETON)
    column, _ = tubes(x, y, [_SPINE])
    spine = column * np.where((y + 8192) % 130 < 34, 2, 4) // 4  # less in the discs
    blur = max(1, place.columns // 128)
    frames = []
    for detector, organs in enumerate((_IN_FRONT, _BEHIND)):
        # The spine lies nearer to the detector behind.
        expected = _flesh(x, y) + bones * 2 + spine * (1 + 2 * detector) + _glow(x, y, (*organs, *spots))
        seen = expected if detector == 0 else expected[:, ::-1]  # the patient's left is on the left from behind
        frames.append(_counted(softened(seen, blur), place, detector))
    return np.stack(frames)


def _flesh(x: Pixels, y: Pixels) -> Pixels:
    """Return 16 times the counts expected of soft tissue."""
    limbs = [Tube(tube.points, tube.radius * 3, tube.end_radius * 3) for tube in _SKELETON[:_LIMBS]]
    body = tubes(x, y, limbs)[0] > 0
    for centre, axes in (((0, -3300), (270, 380)), ((0, -1700), (560, 1100)), ((0, -300), (500, 700))):
        body = body | (reach(x, y, centre, axes) <= SCALE)
    return np.where(body, 48, 2)


def _glow(x: Pixels, y: Pixels, organs: Iterable[tuple[Point, Point, int]]) -> Pixels:
    """Return 16 times the counts expected of `organs`, each thickest in its middle."""
    total = np.zeros((y.size, x.size), np.int64)
    for centre, axes, counts in organs:
        total += (SCALE - reach(x, y, centre, axes)).clip(0) * counts * 16 // SCALE
    return total


def _counted(expected: Pixels, place: Place, frame: int) -> Pixels:
    """Return counts as they fall: about `expected` / 16 of them, spread by their root as decays are."""
    # The sum of four even draws is near enough to a normal one, with a standard deviation of 37.
    drawn = np.zeros((place.rows, place.columns), np.int64)
    for turn in range(4):
        drawn += place.noise(64, 4 * frame + turn)
    spread = np.sqrt(expected.astype(np.float64)) * 4 * (drawn - 126) / 37
    return ((expected + spread.astype(np.int64) + 8) // 16).clip(0, 65535).astype(np.uint16)


def _window(energy: str, lower: str, upper: str) -> Attributes:
    limits = {"EnergyWindowLowerLimit": lower, "EnergyWindowUpperLimit": upper}
    return {"EnergyWindowName": energy, "EnergyWindowRangeSequence": (limits,)}


_TECHNETIUM: Final = code("72454008", "SCT", "^99m^Technetium")
SUPINE: Final[Attributes] = {
    "PatientOrientationCodeSequence": (
        {
            **code("102538003", "SCT", "recumbent"),
            "PatientOrientationModifierCodeSequence": (code("40199007", "SCT", "supine"),),
        },
    ),
    "PatientGantryRelationshipCodeSequence": (code("102540008", "SCT", "headfirst"),),
}
"""How the patient lies: NM/PET Patient Orientation module (PS3.3 C.8.4.6)."""


def _detector(view: Attributes) -> Attributes:
    return {
        "CollimatorGridName": "LEHR",
        "CollimatorType": "PARA",
        "FieldOfViewShape": "RECTANGLE",
        "ImageOrientationPatient": "",
        "ImagePositionPatient": "",
        "ViewCodeSequence": (view,),
    }


def _scan_spacing(place: Place) -> Attributes:
    # A pixel is square, and the frame of the body fits in the picture (see `canvas.plane`).
    side = max(NM_FIELD / place.columns, NM_FIELD * _WHOLE_BODY[1] / place.rows)
    return {"PixelSpacing": (millimetres(side),) * 2}


NUCLEAR_MEDICINE: Final = ImageClass(
    modality="NM",
    pixels=PixelFormat(bits_stored=16, letters=40),
    paint=_bone_scan,
    frames=_DETECTORS,
    size=(1024, 256),
    fixed={
        **SUPINE,
        "ImageType": ("ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"),
        "BodyPartExamined": "WHOLEBODY",
        "FrameIncrementPointer": (0x00540010, 0x00540020),  # Energy Window Vector, Detector Vector
        "EnergyWindowVector": (1,) * _DETECTORS,
        "NumberOfEnergyWindows": 1,
        "DetectorVector": tuple(range(1, _DETECTORS + 1)),
        "NumberOfDetectors": _DETECTORS,
        "EnergyWindowInformationSequence": (_window("TC99M", "126", "154"),),
        "RadiopharmaceuticalInformationSequence": (
            {
                "RadionuclideCodeSequence": (_TECHNETIUM,),
                "Radiopharmaceutical": "TECHNETIUM TC99M MEDRONATE",
                "RadiopharmaceuticalRoute": "INTRAVENOUS",
                "RadionuclideTotalDose": "740",
            },
        ),
        "DetectorInformationSequence": (
            _detector(code("399348003", "SCT", "antero-posterior")),
            _detector(code("272479007", "SCT", "postero-anterior")),
        ),
        "CountsAccumulated": "",
        "AcquisitionTerminationCondition": "MANU",
        "ActualFrameDuration": "1200000",
        "WholeBodyTechnique": "1PS",
        "ScanVelocity": "2",
        "ScanLength": "1950",
        "LossyImageCompression": "00",
        "BurnedInAnnotation": "NO",
        "PatientOrientation": "",
        "WindowCenter": "20",
        "WindowWidth": "40",
    },
    of_series=_scan_spacing,
)
