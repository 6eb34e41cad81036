"""CT, MR and Enhanced MR: axial slices through a phantom, with their place in the patient (PS3.3 C.7.6.2)."""

from __future__ import annotations

from typing import Final

import numpy as np

from simulator.synthesis import pixels
from simulator.synthesis.encoding import Attributes
from simulator.synthesis.image_class import ImageClass, PixelFormat, Place, code, millimetres
from simulator.synthesis.pixels import SCALE, Pixels
from simulator.synthesis.uids import uid

CT_FIELD: Final = 400.0
MR_FIELD: Final = 240.0
"""Millimetres across the shorter side of the reconstructed picture."""

CT_LENGTH: Final = 400.0
MR_LENGTH: Final = 150.0
"""Millimetres of the body that a series goes through, from its feet side up, however many slices there are."""

_THICKEST: Final = 5.0
"""Millimetres; slices that are farther apart than this leave gaps between them."""

FRAMES: Final = 4
"""Frames in each Enhanced MR instance."""

_AXIAL: Final = ("1", "0", "0", "0", "1", "0")


_MR_WINDOW: Final = (560, 1120)
# Twice the value of air: half of it is taken away again, so the mean stays and no sample falls below 0.
_CT_NOISE: Final = 2 * pixels.ABDOMEN_AIR
_MR_NOISE: Final = 2 * pixels.BRAIN_AIR


def _spacing(field: float, place: Place) -> float:
    """Return the millimetres from one pixel to the next, down as across."""
    return field * pixels.pitch(place.rows, place.columns) / (2 * SCALE)


def _pixel_spacing(field: float, place: Place) -> tuple[str, str]:
    return (millimetres(_spacing(field, place)),) * 2


def _step(length: float, place: Place, frames: int = 1) -> float:
    """Return the millimetres from one slice to the next."""
    return length / (place.count * frames)


def _position(field: float, length: float, place: Place, frame: int = 0, frames: int = 1) -> tuple[str, str, str]:
    """Return the centre of the first pixel of a slice in the patient, in mm; 0 is the middle of the phantom.

    Columns go to the patient's left, rows to the back (see `_AXIAL`), and slices to the head (PS3.3 C.7.6.2.1.1).
    """
    spacing = _spacing(field, place)
    index = (place.number - 1) * frames + frame
    z = (2 * index + 1) * _step(length, place, frames) / 2 - length / 2
    x, y = ((1 - size) * spacing / 2 for size in (place.columns, place.rows))
    return millimetres(x), millimetres(y), millimetres(z)


def _frame_of_reference(place: Place) -> Attributes:
    return {
        "FrameOfReferenceUID": uid("frame of reference", place.series_uid),
        "PositionReferenceIndicator": "",
    }


def _plane(field: float, length: float, place: Place) -> Attributes:
    return {
        **_frame_of_reference(place),
        "PixelSpacing": _pixel_spacing(field, place),
        "ImageOrientationPatient": _AXIAL,
        "SliceThickness": millimetres(min(_THICKEST, _step(length, place))),
        "PatientPosition": "HFS",
    }


def _plane_of_instance(field: float, length: float, place: Place) -> Attributes:
    position = _position(field, length, place)
    return {"ImagePositionPatient": position, "SliceLocation": position[2]}


def _abdomen(place: Place) -> Pixels:
    """Return one slice through the trunk as 12-bit uint16."""
    picture = pixels.slice_at(place.depth(), pixels.ABDOMEN, pixels.ABDOMEN_AIR, place.rows, place.columns)
    picture += place.noise(_CT_NOISE)
    picture -= np.uint16(pixels.ABDOMEN_AIR)
    return place.numbered(picture)


def _brain(place: Place, frame: int = 0, frames: int = 1) -> Pixels:
    """Return one slice through the head as 12-bit uint16."""
    depth = place.depth(frame, frames)
    picture = pixels.slice_at(depth, pixels.BRAIN, pixels.BRAIN_AIR, place.rows, place.columns)
    picture += place.noise(_MR_NOISE, frame)
    picture -= np.uint16(pixels.BRAIN_AIR)
    return pixels.numbered(picture, place.number * frames + frame)


def _brain_frames(place: Place) -> Pixels:
    return np.stack([_brain(place, frame, FRAMES) for frame in range(FRAMES)])


CT: Final = ImageClass(
    modality="CT",
    pixels=PixelFormat(bits_stored=12),
    paint=_abdomen,
    fixed={
        "ImageType": ("ORIGINAL", "PRIMARY", "AXIAL"),
        "BodyPartExamined": "ABDOMEN",
        "KVP": "120",
        "AcquisitionNumber": "1",
        "RescaleIntercept": "-1024",
        "RescaleSlope": "1",
        "RescaleType": "HU",
        "WindowCenter": "40",
        "WindowWidth": "400",
    },
    of_series=lambda place: _plane(CT_FIELD, CT_LENGTH, place),
    of_instance=lambda place: _plane_of_instance(CT_FIELD, CT_LENGTH, place),
)

MR: Final = ImageClass(
    modality="MR",
    pixels=PixelFormat(bits_stored=12),
    paint=_brain,
    fixed={
        "ImageType": ("ORIGINAL", "PRIMARY", "OTHER"),
        "BodyPartExamined": "BRAIN",
        "ScanningSequence": "SE",
        "SequenceVariant": "NONE",
        "ScanOptions": "",
        "MRAcquisitionType": "2D",
        "RepetitionTime": "500",
        "EchoTime": "15",
        "EchoTrainLength": "1",
        "MagneticFieldStrength": "1.5",
        "WindowCenter": str(_MR_WINDOW[0]),
        "WindowWidth": str(_MR_WINDOW[1]),
    },
    of_series=lambda place: _plane(MR_FIELD, MR_LENGTH, place),
    of_instance=lambda place: _plane_of_instance(MR_FIELD, MR_LENGTH, place),
    size=(256, 256),
)


# What the pulse sequence was (PS3.3 C.8.13.4), and the groups that all frames share (PS3.3 C.7.6.16, C.8.13.5).
_FRAME_TYPE: Final[Attributes] = {
    "PixelPresentation": "MONOCHROME",
    "VolumetricProperties": "VOLUME",
    "VolumeBasedCalculationTechnique": "NONE",
    "ComplexImageComponent": "MAGNITUDE",
    "AcquisitionContrast": "T1",
}
_ENHANCED_MR: Final[Attributes] = {
    **_FRAME_TYPE,
    "ImageType": ("ORIGINAL", "PRIMARY", "T1", "NONE"),
    "BodyPartExamined": "BRAIN",
    "AcquisitionNumber": "1",
    "AcquisitionDuration": 60000.0,
    "ContentQualification": "PRODUCT",
    "PatientPosition": "HFS",
    "ResonantNucleus": "1H",
    "KSpaceFiltering": "NONE",
    "MagneticFieldStrength": "1.5",
    "ApplicableSafetyStandardAgency": "IEC",
    "BurnedInAnnotation": "NO",
    "LossyImageCompression": "00",
    "PresentationLUTShape": "IDENTITY",
    "AcquisitionContextSequence": (),
    "PulseSequenceName": "SYNTHETIC SE",
    "MRAcquisitionType": "2D",
    "EchoPulseSequence": "SPIN",
    "MultipleSpinEcho": "NO",
    "MultiPlanarExcitation": "NO",
    "PhaseContrast": "NO",
    "TimeOfFlightContrast": "NO",
    "SteadyStatePulseSequence": "NONE",
    "EchoPlanarPulseSequence": "NO",
    "SaturationRecovery": "NO",
    "SpectrallySelectedSuppression": "NONE",
    "OversamplingPhase": "NONE",
    "GeometryOfKSpaceTraversal": "RECTILINEAR",
    "RectilinearPhaseEncodeReordering": "LINEAR",
    "SegmentedKSpaceTraversal": "SINGLE",
    "NumberOfKSpaceTrajectories": 1,
}
_TIMING: Final[Attributes] = {
    "RepetitionTime": "500",
    "FlipAngle": "90",
    "EchoTrainLength": "1",
    "RFEchoTrainLength": 1,
    "GradientEchoTrainLength": 0,
    "SpecificAbsorptionRateSequence": (
        {"SpecificAbsorptionRateDefinition": "IEC_WHOLE_BODY", "SpecificAbsorptionRateValue": 0.5},
    ),
    "GradientOutputType": "DB_DT",
    "GradientOutput": 10.0,
    "OperatingModeSequence": (
        {"OperatingModeType": "STATIC FIELD", "OperatingMode": "IEC_NORMAL"},
        {"OperatingModeType": "RF", "OperatingMode": "IEC_NORMAL"},
        {"OperatingModeType": "GRADIENT", "OperatingMode": "IEC_NORMAL"},
    ),
}
_MODIFIER: Final[Attributes] = {
    "InversionRecovery": "NO",
    "FlowCompensation": "NONE",
    "Spoiling": "NONE",
    "T2Preparation": "NO",
    "SpectrallySelectedExcitation": "NONE",
    "SpatialPresaturation": "NONE",
    "PartialFourier": "NO",
    "ParallelAcquisition": "NO",
}
_COIL: Final[Attributes] = {
    "ReceiveCoilName": "SYNTHETIC HEAD",
    "ReceiveCoilManufacturerName": "SYNTHETIC",
    "ReceiveCoilType": "VOLUME",
    "QuadratureReceiveCoil": "YES",
}
_TRANSMIT_COIL: Final[Attributes] = {
    "TransmitCoilName": "SYNTHETIC BODY",
    "TransmitCoilManufacturerName": "SYNTHETIC",
    "TransmitCoilType": "BODY",
}
_BRAIN_CODE: Final = code("12738006", "SCT", "Brain")


def _shared_groups(place: Place) -> Attributes:
    return {
        "PixelMeasuresSequence": (
            {
                "PixelSpacing": _pixel_spacing(MR_FIELD, place),
                "SliceThickness": millimetres(min(_THICKEST, _step(MR_LENGTH, place, FRAMES))),
                "SpacingBetweenSlices": millimetres(_step(MR_LENGTH, place, FRAMES)),
            },
        ),
        "PlaneOrientationSequence": ({"ImageOrientationPatient": _AXIAL},),
        "FrameAnatomySequence": ({"FrameLaterality": "U", "AnatomicRegionSequence": (_BRAIN_CODE,)},),
        "PixelValueTransformationSequence": ({"RescaleIntercept": "0", "RescaleSlope": "1", "RescaleType": "US"},),
        "FrameVOILUTSequence": ({"WindowCenter": str(_MR_WINDOW[0]), "WindowWidth": str(_MR_WINDOW[1])},),
        "MRImageFrameTypeSequence": ({"FrameType": ("ORIGINAL", "PRIMARY", "T1", "NONE"), **_FRAME_TYPE},),
        "MRTimingAndRelatedParametersSequence": (_TIMING,),
        "MRFOVGeometrySequence": (
            {
                "InPlanePhaseEncodingDirection": "ROW",
                "MRAcquisitionFrequencyEncodingSteps": place.columns,
                "MRAcquisitionPhaseEncodingStepsInPlane": place.rows,
                "PercentSampling": "100",
                "PercentPhaseFieldOfView": "100",
            },
        ),
        "MREchoSequence": ({"EffectiveEchoTime": 15.0},),
        "MRModifierSequence": (_MODIFIER,),
        "MRImagingModifierSequence": (
            {
                "MagnetizationTransfer": "NONE",
                "BloodSignalNulling": "NO",
                "Tagging": "NONE",
                "TransmitterFrequency": 63.87,
                "PixelBandwidth": "130",
            },
        ),
        "MRReceiveCoilSequence": (_COIL,),
        "MRTransmitCoilSequence": (_TRANSMIT_COIL,),
        "MRAveragesSequence": ({"NumberOfAverages": "1"},),
    }


def _frame_groups(place: Place, frame: int) -> Attributes:
    position = _position(MR_FIELD, MR_LENGTH, place, frame, FRAMES)
    return {
        "FrameContentSequence": (
            {
                "FrameAcquisitionNumber": 1,
                "FrameReferenceDateTime": place.performed_at,
                "FrameAcquisitionDateTime": place.performed_at,
                "FrameAcquisitionDuration": 15000.0,
                "StackID": "1",
                "InStackPositionNumber": frame + 1,
                "DimensionIndexValues": (1, frame + 1),
            },
        ),
        "PlanePositionSequence": ({"ImagePositionPatient": position},),
    }


def _enhanced_series(place: Place) -> Attributes:
    organization = uid("dimension organization", place.series_uid)
    stack, position = 0x00209056, 0x00209057  # Stack ID, In-Stack Position Number
    return {
        **_frame_of_reference(place),
        "AcquisitionDateTime": place.performed_at,
        "DimensionOrganizationSequence": ({"DimensionOrganizationUID": organization},),
        "DimensionIndexSequence": tuple(
            {
                "DimensionIndexPointer": tag,
                "FunctionalGroupPointer": 0x00209111,  # Frame Content Sequence
                "DimensionOrganizationUID": organization,
            }
            for tag in (stack, position)
        ),
        "SharedFunctionalGroupsSequence": (_shared_groups(place),),
    }


ENHANCED_MR: Final = ImageClass(
    modality="MR",
    pixels=PixelFormat(bits_stored=12),
    frames=FRAMES,
    paint=_brain_frames,
    fixed=_ENHANCED_MR,
    of_series=_enhanced_series,
    of_instance=lambda place: {
        "PerFrameFunctionalGroupsSequence": tuple(_frame_groups(place, frame) for frame in range(FRAMES))
    },
    size=(256, 256),
    window=_MR_WINDOW,
)
