"""`simulate study`: whole studies as files, the same bytes each time, and what it refuses to make."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from pydicom import dcmread

from simulator.rules.sop_classes import EXTENDED_CLASSES, SEED_IMAGE_CLASSES
from simulator.synthesis.lies import LIES
from tests import processes
from tests.processes import RunningGateway, simulate

DCENTVFY = shutil.which("dcentvfy") or shutil.which("dcentvfy", path=str(Path(sys.executable).parent))


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """Make one study of each class of the slide, twice."""
    folder = tmp_path_factory.mktemp("everything")
    for name in ("first", "again"):
        done = simulate(
            "study", name, *["--sop-class", "all", "--instances", "3", "--seed", "7", "--with-order"], folder=folder
        )
        assert (done.returncode, done.stderr) == (0, "")
    yield folder / "first", folder / "again"
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with processes.gateway(tmp_path_factory.mktemp("gateway")) as running:
        yield running


def digests(folder: Path) -> dict[str, str]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def made(folder: Path, *options: str) -> list[Path]:
    """Make a study of small pictures below `folder`; return its files."""
    done = simulate("study", "out", "--sop-class", "MR Image", "--seed", "7", *options, folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return sorted((folder / "out").rglob("*.dcm"))


def test_the_same_seed_gives_identical_trees(everything: tuple[Path, Path]) -> None:
    first, again = everything
    assert digests(first) == digests(again)
    assert len(digests(first)) == 13 * (3 + 1)


def test_there_is_a_study_of_each_class_of_one_person(everything: tuple[Path, Path]) -> None:
    folder = everything[0]
    assert {path.name for path in folder.iterdir()} == {each.keyword for each in SEED_IMAGE_CLASSES}
    seen = {file: dcmread(file, stop_before_pixels=True) for file in folder.rglob("*.dcm")}
    assert {data_set.SOPClassUID for data_set in seen.values()} == {each.uid for each in SEED_IMAGE_CLASSES}
    assert len({data_set.PatientID for data_set in seen.values()}) == 1
    assert len({data_set.StudyInstanceUID for data_set in seen.values()}) == 13
    assert len({data_set.AccessionNumber for data_set in seen.values()}) == 13
    assert len({data_set.SOPInstanceUID for data_set in seen.values()}) == 39


@pytest.mark.skipif(DCENTVFY is None, reason="dcentvfy (dicom3tools) is not on this machine")
@pytest.mark.parametrize("keyword", [each.keyword for each in SEED_IMAGE_CLASSES])
def test_dcentvfy_finds_each_study_consistent(everything: tuple[Path, Path], keyword: str) -> None:
    files = sorted((everything[0] / keyword).rglob("*.dcm"))
    done = subprocess.run([str(DCENTVFY), *map(str, files)], capture_output=True, text=True, check=False)
    # It does not know the two retired classes, and compares their files as far as it can.
    unknown = "Warning - Unrecognized SOP Class" if keyword.startswith("Hardcopy") else "nothing"
    told = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith(unknown)]
    assert (done.returncode, told) == (0, [])


def test_the_orders_match_the_studies(everything: tuple[Path, Path], gateway: RunningGateway, tmp_path: Path) -> None:
    folder = everything[0]
    for study in sorted(folder.iterdir()):
        assert simulate("order", "--to", gateway.hl7, "--file", study / "order.hl7", folder=tmp_path).returncode == 0
    assert simulate("send", folder, "--to", gateway.address, folder=tmp_path).returncode == 0
    states = {study["state"] for study in gateway.await_states(13, ("matched", "unmatched"))}
    assert states == {"matched"}


def test_series_and_instances_are_counted(tmp_path: Path) -> None:
    files = made(tmp_path, "--series", "2", "--instances", "3")
    numbers = [(read.SeriesNumber, read.InstanceNumber) for read in map(dcmread, files)]
    assert numbers == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]


def test_the_identity_is_the_one_in_the_file(tmp_path: Path) -> None:
    person = "hkid: Q1234563\nname: CHAN^TAI MAN\nideographic: 陳^大文\nbirth_date: 19700131\nsex: M\n"
    (tmp_path / "who.yaml").write_text(person.replace("Q1234563", "Q123456(7)"), encoding="utf-8")
    [file] = made(tmp_path, "--identity", "who.yaml", "--charset", "GB18030", "--with-order")
    data_set = dcmread(file)
    assert (data_set.PatientID, data_set.PatientBirthDate, data_set.PatientSex) == ("Q1234567", "19700131", "M")
    assert str(data_set.PatientName) == "CHAN^TAI MAN=陳^大文"
    assert data_set.SpecificCharacterSet == "GB18030"
    assert b"|Q1234567|" in (file.parent.parent / "order.hl7").read_bytes()


def test_an_hkid_outside_the_synthetic_range_is_noted(tmp_path: Path) -> None:
    (tmp_path / "who.yaml").write_text("hkid: A1234563\nname: CHAN\nbirth_date: '19700131'\nsex: M\n")
    done = simulate("study", "out", "--identity", "who.yaml", folder=tmp_path)
    assert done.returncode == 0
    assert (
        done.stderr
        == "note: the HKID is outside the synthetic range (Q and QX); make sure that it is a test patient's\n"
    )


def test_a_malformation_is_made_and_nothing_else(tmp_path: Path) -> None:
    [file] = made(tmp_path, "--malformation", "empty-hkid")
    data_set = dcmread(file)
    assert data_set.PatientID == ""
    assert data_set.PatientName != ""


def test_every_malformation_is_listed_with_what_the_gateway_must_find(tmp_path: Path) -> None:
    done = simulate("study", "--list-malformations", folder=tmp_path)
    assert done.returncode == 0
    rows = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert set(LIES) <= set(rows)
    assert "accession.malformed.length" in rows["17-character-accession"]
    assert "A900" in rows["truncated-pixel-data"]


def test_a_contact_sheet_shows_every_class_of_the_extension(tmp_path: Path) -> None:
    done = simulate("study", "out", "--sop-class", "extended", "--contact-sheet", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    images = {each.keyword for each in EXTENDED_CLASSES if each.image} - {"RTImageStorage"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*images, "contact-sheet.png"}
    with Image.open(tmp_path / "out" / "contact-sheet.png") as sheet:
        assert sheet.size[0] > 5 * 256


REFUSED = {
    "SOP class": (("--sop-class", "CT Imag"), "no SOP class 'CT Imag'; near:"),
    "SOP class without a picture": (("--sop-class", "Basic Text SR"), "no images of Basic Text SR Storage"),
    "transfer syntax": (("--transfer-syntax", "JPEG 200 Lossless"), "near: JPEG 2000 Lossless"),
    "character set": (("--charset", "ISO_IR 19"), "near: ISO_IR 192"),
    "malformation": (("--malformation", "empty-hkd"), "did you mean 'empty-hkid'?"),
    "16 bits in JPEG Baseline": (
        ("--transfer-syntax", "JPEG Baseline"),
        "CT Image Storage: JPEG Baseline (Process 1) takes 8 Bits Allocated (PS3.5 8.2.1",
    ),
    "two lies about one thing": (
        ("--malformation", "empty-hkid", "--malformation", "another-hkid"),
        "two lies are about PatientID",
    ),
    "a character set twice": (
        ("--malformation", "utf-8-name-undeclared", "--charset", "GB18030"),
        "utf-8-name-undeclared is about the character set",
    ),
    "no such identity": (("--identity", "nobody.yaml"), "nobody.yaml"),
}


@pytest.mark.parametrize("options", list(REFUSED.values()), ids=list(REFUSED))
def test_what_cannot_be_made_is_2_with_the_reason(options: tuple[tuple[str, ...], str], tmp_path: Path) -> None:
    asked, reason = options
    done = simulate("study", "out", *asked, folder=tmp_path)
    assert done.returncode == 2
    assert reason in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_empty_is_left_alone_unless_told(tmp_path: Path) -> None:
    before = digests(tmp_path / "out") if made(tmp_path) else {}
    refused = simulate("study", "out", "--seed", "8", folder=tmp_path)
    assert (refused.returncode, digests(tmp_path / "out")) == (2, before)
    assert "out is not empty" in refused.stderr
    told = simulate("study", "out", "--seed", "8", "--overwrite", folder=tmp_path)
    assert told.returncode == 0
    assert before.items() < digests(tmp_path / "out").items()


def test_without_a_folder_nothing_is_made(tmp_path: Path) -> None:
    done = simulate("study", folder=tmp_path)
    assert done.returncode == 2
    assert "there is no folder to write to" in done.stderr
    assert list(tmp_path.iterdir()) == []
