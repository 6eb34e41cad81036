"""What DCMTK encodes anew is the same content: what another vendor's router does to an image on its way."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.rules.sop_classes import by_name
from simulator.wire import content, part10
from tests.interop import dcmtk
from tests.synthesis.made import a_study

PROGRAMS = ("dcmconv", "dcmcrle", "dcmcjpeg", "dcmcjpls")
MISSING = [name for name in PROGRAMS if not (dcmtk.FOLDER / name).is_file()]
pytestmark = [
    *dcmtk.needed,
    pytest.mark.skipif(bool(MISSING), reason=f"DCMTK is not installed: no {', '.join(MISSING)} in {dcmtk.FOLDER}"),
]
# How it encodes, and whether the content is still the same.
ENCODINGS = {
    "implicit": ("dcmconv +ti", True),
    "big endian": ("dcmconv +tb", True),
    "deflated": ("dcmconv +td", True),
    "undefined lengths": ("dcmconv +te -e", True),
    "group lengths": ("dcmconv +te +g", True),
    "RLE": ("dcmcrle", True),
    "JPEG Lossless": ("dcmcjpeg +e1", True),
    "JPEG-LS": ("dcmcjpls +el", True),
    "JPEG Baseline": ("dcmcjpeg +eb", False),
}


@pytest.mark.parametrize(
    "sop_class", ["CT Image", "Ultrasound Image", "Enhanced MR Image", "Computed Radiography Image"]
)
@pytest.mark.parametrize(("command", "same"), ENCODINGS.values(), ids=ENCODINGS)
def test_it_is_the_same_content_unless_something_was_lost(
    sop_class: str, command: str, same: bool, tmp_path: Path
) -> None:
    instance = a_study(sop_class=by_name(sop_class), size=64).instances[0]
    (tmp_path / "in.dcm").write_bytes(instance.part10())
    program, *options = command.split()
    done = dcmtk.run(program, *options, "in.dcm", "out.dcm", folder=tmp_path)
    assert done.returncode == 0, done.stdout
    made = part10.read((tmp_path / "out.dcm").read_bytes())
    assert made.data_set != instance.data_set
    here = content.digest(instance.data_set, instance.transfer_syntax_uid)
    assert (content.digest(made.data_set, made.transfer_syntax_uid) == here) is same
