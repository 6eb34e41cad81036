"""Small pictures of DICOM files from anywhere, for a person to recognise: no diagnosis is made on them."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom import dcmread
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

_DARK_FIRST = "MONOCHROME1"


def thumbnail(file: Path, side: int) -> bytes | None:
    """Return the middle frame of a file as a PNG whose longer side is `side` pixels; None where it cannot be shown.

    It is windowed as the file says (PS3.3 C.11.2), else from the least to the greatest sample.
    """
    try:
        data = dcmread(file)
        samples: npt.NDArray[Any] = data.pixel_array
        if int(data.get("NumberOfFrames") or 1) > 1:
            samples = samples[len(samples) // 2]
        if samples.ndim == 2:
            samples = apply_voi_lut(apply_modality_lut(samples, data), data)
            samples = _grey(samples, inverted=data.get("PhotometricInterpretation") == _DARK_FIRST)
        image = Image.fromarray(np.ascontiguousarray(samples.astype(np.uint8)))
    except Exception:  # noqa: BLE001 - a file of anybody's may have anything wrong with it, and a picture is a courtesy
        return None
    image.thumbnail((side, side))
    out = BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _grey(samples: npt.NDArray[Any], *, inverted: bool) -> npt.NDArray[Any]:
    least, greatest = float(samples.min()), float(samples.max())
    scaled = (samples - least) * (255.0 / ((greatest - least) or 1.0))
    return 255.0 - scaled if inverted else scaled
