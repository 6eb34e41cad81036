"""The SOP classes of the slide "Application Entity Specifications", all "For SCU/SCP".

Names and keywords are those of PS3.6 (Table A-1), but that its mark "(Retired)" is left off.

The slide's table is cut off after Ultrasound. What stands in it is the seed; what most likely followed, as
its order is that of a widespread archive's list of the time, is the extension, off unless a site asks for it.

Erratum: the slide prints "Digital X-Ray Image Storage - For Processing" with the UID of For Presentation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True)
class SopClass:
    """A SOP class: its UID, its name and its keyword; `image` where its instances hold Pixel Data (7FE0,0010)."""

    uid: str
    name: str
    keyword: str
    image: bool = True


VERIFICATION = SopClass("1.2.840.10008.1.1", "Verification SOP Class", "Verification", image=False)
STORAGE_COMMITMENT = SopClass(
    "1.2.840.10008.1.20.1", "Storage Commitment Push Model SOP Class", "StorageCommitmentPushModel", image=False
)
# The one well-known instance that every storage commitment request names (PS3.4 Annex J, PS3.6 Table A-1).
STORAGE_COMMITMENT_INSTANCE_UID = "1.2.840.10008.1.20.1.1"

_DX_FOR_PROCESSING = SopClass(
    "1.2.840.10008.5.1.4.1.1.1.1.1",
    "Digital X-Ray Image Storage - For Processing",
    "DigitalXRayImageStorageForProcessing",
)

# In the slide's order. The two Hardcopy classes were retired from DICOM in 2004 and are on the slide of 2010.
SEED_IMAGE_CLASSES: tuple[SopClass, ...] = (
    SopClass(
        "1.2.840.10008.5.1.1.29",
        "Hardcopy Grayscale Image Storage SOP Class",
        "HardcopyGrayscaleImageStorage",
    ),
    SopClass(
        "1.2.840.10008.5.1.1.30",
        "Hardcopy Color Image Storage SOP Class",
        "HardcopyColorImageStorage",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.1",
        "Computed Radiography Image Storage",
        "ComputedRadiographyImageStorage",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.1.1",
        "Digital X-Ray Image Storage - For Presentation",
        "DigitalXRayImageStorageForPresentation",
    ),
    _DX_FOR_PROCESSING,
    SopClass(
        "1.2.840.10008.5.1.4.1.1.1.2",
        "Digital Mammography X-Ray Image Storage - For Presentation",
        "DigitalMammographyXRayImageStorageForPresentation",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.1.2.1",
        "Digital Mammography X-Ray Image Storage - For Processing",
        "DigitalMammographyXRayImageStorageForProcessing",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.1.3",
        "Digital Intra-Oral X-Ray Image Storage - For Presentation",
        "DigitalIntraOralXRayImageStorageForPresentation",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.1.3.1",
        "Digital Intra-Oral X-Ray Image Storage - For Processing",
        "DigitalIntraOralXRayImageStorageForProcessing",
    ),
    SopClass("1.2.840.10008.5.1.4.1.1.2", "CT Image Storage", "CTImageStorage"),
    SopClass("1.2.840.10008.5.1.4.1.1.4", "MR Image Storage", "MRImageStorage"),
    SopClass("1.2.840.10008.5.1.4.1.1.4.1", "Enhanced MR Image Storage", "EnhancedMRImageStorage"),
    SopClass("1.2.840.10008.5.1.4.1.1.6.1", "Ultrasound Image Storage", "UltrasoundImageStorage"),
)

EXTENDED_CLASSES: tuple[SopClass, ...] = (
    SopClass(
        "1.2.840.10008.5.1.4.1.1.3.1",
        "Ultrasound Multi-frame Image Storage",
        "UltrasoundMultiFrameImageStorage",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.7",
        "Secondary Capture Image Storage",
        "SecondaryCaptureImageStorage",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.7.1",
        "Multi-frame Single Bit Secondary Capture Image Storage",
        "MultiFrameSingleBitSecondaryCaptureImageStorage",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.7.2",
        "Multi-frame Grayscale Byte Secondary Capture Image Storage",
        "MultiFrameGrayscaleByteSecondaryCaptureImageStorage",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.7.3",
        "Multi-frame Grayscale Word Secondary Capture Image Storage",
        "MultiFrameGrayscaleWordSecondaryCaptureImageStorage",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.7.4",
        "Multi-frame True Color Secondary Capture Image Storage",
        "MultiFrameTrueColorSecondaryCaptureImageStorage",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.12.1",
        "X-Ray Angiographic Image Storage",
        "XRayAngiographicImageStorage",
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.12.2",
        "X-Ray Radiofluoroscopic Image Storage",
        "XRayRadiofluoroscopicImageStorage",
    ),
    SopClass("1.2.840.10008.5.1.4.1.1.20", "Nuclear Medicine Image Storage", "NuclearMedicineImageStorage"),
    SopClass("1.2.840.10008.5.1.4.1.1.77.1.1", "VL Endoscopic Image Storage", "VLEndoscopicImageStorage"),
    SopClass("1.2.840.10008.5.1.4.1.1.77.1.2", "VL Microscopic Image Storage", "VLMicroscopicImageStorage"),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.77.1.3",
        "VL Slide-Coordinates Microscopic Image Storage",
        "VLSlideCoordinatesMicroscopicImageStorage",
    ),
    SopClass("1.2.840.10008.5.1.4.1.1.77.1.4", "VL Photographic Image Storage", "VLPhotographicImageStorage"),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.128",
        "Positron Emission Tomography Image Storage",
        "PositronEmissionTomographyImageStorage",
    ),
    SopClass("1.2.840.10008.5.1.4.1.1.481.1", "RT Image Storage", "RTImageStorage"),
    SopClass("1.2.840.10008.5.1.4.1.1.88.11", "Basic Text SR Storage", "BasicTextSRStorage", image=False),
    SopClass("1.2.840.10008.5.1.4.1.1.88.22", "Enhanced SR Storage", "EnhancedSRStorage", image=False),
    SopClass("1.2.840.10008.5.1.4.1.1.88.33", "Comprehensive SR Storage", "ComprehensiveSRStorage", image=False),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.88.59",
        "Key Object Selection Document Storage",
        "KeyObjectSelectionDocumentStorage",
        image=False,
    ),
    SopClass(
        "1.2.840.10008.5.1.4.1.1.11.1",
        "Grayscale Softcopy Presentation State Storage",
        "GrayscaleSoftcopyPresentationStateStorage",
        image=False,
    ),
)


def storage_classes(*, dx_processing_as_printed: bool = False, extended: bool = False) -> tuple[SopClass, ...]:
    """Return the storage SOP classes of a site, in the slide's order.

    As printed, DX For Processing bears the UID of For Presentation, so its right UID is not on the list.
    """
    seed = tuple(each for each in SEED_IMAGE_CLASSES if not (dx_processing_as_printed and each is _DX_FOR_PROCESSING))
    return seed + EXTENDED_CLASSES if extended else seed


def by_name(text: str) -> SopClass:
    """Return the SOP class that `text` names: its UID, name or keyword, in any case.

    " Storage" and " SOP Class" may be left out of a name ("CT Image"), and spaces and hyphens do not count.
    Raises `KeyError` with the nearest names.
    """
    wanted = text.strip()
    found = _BY_UID.get(wanted) or _BY_NAME.get(_squashed(wanted))
    if found is None:
        raise KeyError(_unknown(wanted))
    return found


def _squashed(text: str) -> str:
    """Return the letters and digits of `text`; a name and its keyword then read the same."""
    return "".join(filter(str.isalnum, text.casefold()))


def _spellings(sop_class: SopClass) -> Iterator[str]:
    """Give every way to write the name of `sop_class` that `by_name` takes."""
    for name in (sop_class.name, sop_class.name.removesuffix(" SOP Class"), sop_class.keyword):
        yield name
        yield name.replace(" Storage", "")


def _unknown(text: str) -> str:
    near = get_close_matches(_squashed(text), _BY_NAME, n=5)
    names = dict.fromkeys(_BY_NAME[each].name for each in near)
    if not names:
        return f"no SOP class {text!r}; the slide has {', '.join(each.name for each in SEED_IMAGE_CLASSES)}"
    return f"no SOP class {text!r}; near: {', '.join(names)}"


_ALL = (VERIFICATION, STORAGE_COMMITMENT, *SEED_IMAGE_CLASSES, *EXTENDED_CLASSES)
_BY_UID = {each.uid: each for each in _ALL}
_BY_NAME = {_squashed(spelling): each for each in _ALL for spelling in _spellings(each)}
