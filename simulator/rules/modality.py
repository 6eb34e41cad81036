"""Modality (0008,0060) where PS3.3 enumerates it for a SOP class, so that another value belies the class.

For CR, CT, MR, US, NM, XA, PET, Secondary Capture and Visible Light the standard has Defined Terms alone
(PS3.3 C.7.3.1.1.1), and says that Modality may not match the name of the class: nothing is asked of those, nor of
the retired Hardcopy classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Enumeration:
    """The values that Modality may have. series: the module that says so, in short. source: its section of PS3.3."""

    values: tuple[str, ...]
    series: str
    source: str


# The DX Series module is shared by the three digital X-Ray classes, and enumerates the values of all of them: a
# panoramic picture, of Modality PX, is a Digital X-Ray Image. The two other classes narrow it to one value.
_DX: Final = Enumeration(("DX", "PX", "IO", "MG"), "DX Series", "C.8.11.1")
_MAMMOGRAPHY: Final = Enumeration(("MG",), "Mammography Series", "C.8.11.6")
_INTRA_ORAL: Final = Enumeration(("IO",), "Intra-Oral Series", "C.8.11.8")
_MR: Final = Enumeration(("MR",), "MR Series", "C.8.13.6")
_RT_IMAGE: Final = Enumeration(("RTIMAGE",), "RT Series", "C.8.8.1.1")
_SR: Final = Enumeration(("SR",), "SR Document Series", "C.17.1")
_KEY_OBJECT: Final = Enumeration(("KO",), "Key Object Series", "C.17.6.1")
_PRESENTATION: Final = Enumeration(("PR",), "Presentation Series", "C.11.9")

ENUMERATED: Final[Mapping[str, Enumeration]] = MappingProxyType(
    {
        "1.2.840.10008.5.1.4.1.1.1.1": _DX,  # also where a site takes DX For Processing under this UID
        "1.2.840.10008.5.1.4.1.1.1.1.1": _DX,
        "1.2.840.10008.5.1.4.1.1.1.2": _MAMMOGRAPHY,
        "1.2.840.10008.5.1.4.1.1.1.2.1": _MAMMOGRAPHY,
        "1.2.840.10008.5.1.4.1.1.1.3": _INTRA_ORAL,
        "1.2.840.10008.5.1.4.1.1.1.3.1": _INTRA_ORAL,
        "1.2.840.10008.5.1.4.1.1.4.1": _MR,  # Enhanced MR alone: the module of MR Image is General Series
        "1.2.840.10008.5.1.4.1.1.481.1": _RT_IMAGE,
        "1.2.840.10008.5.1.4.1.1.88.11": _SR,
        "1.2.840.10008.5.1.4.1.1.88.22": _SR,
        "1.2.840.10008.5.1.4.1.1.88.33": _SR,
        "1.2.840.10008.5.1.4.1.1.88.59": _KEY_OBJECT,
        "1.2.840.10008.5.1.4.1.1.11.1": _PRESENTATION,
    }
)
"""By SOP Class UID."""


def complaint(sop_class_uid: str, modality: str) -> str:
    """Return how `modality`, without padding, belies the SOP class, or the empty text.

    It fits in an Error Comment (0000,0902), 64 characters, where `modality` is a code of the standard's.
    """
    enumeration = ENUMERATED.get(sop_class_uid)
    if enumeration is None or modality in enumeration.values:
        return ""
    if not modality:
        return "Modality (0008,0060) is missing or empty"
    *others, last = enumeration.values
    wanted = f"{', '.join(others)} or {last}" if others else last
    return f"Modality (0008,0060) is {modality}; {enumeration.series} has {wanted}"
