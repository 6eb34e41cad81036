"""DCMTK as modality: echoscu, storescu and dcmsend against `simulate gateway`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import UID

from tests import processes
from tests.interop import dcmtk
from tests.processes import RunningGateway, simulate

pytestmark = dcmtk.needed

IMAGES = ("CT_small.dcm", "MR_small.dcm", "examples_rgb_color.dcm")

# storescu's option, a file in that syntax, and the syntax
COMPRESSED = [
    ("-xr", "MR_small_RLE.dcm", "1.2.840.10008.1.2.5"),
    ("-xv", "MR_small_jp2klossless.dcm", "1.2.840.10008.1.2.4.90"),
    ("-xt", "MR_small_jpeg_ls_lossless.dcm", "1.2.840.10008.1.2.4.80"),
    ("-xw", "693_J2KI.dcm", "1.2.840.10008.1.2.4.91"),
    ("-xb", "MR_small_bigendian.dcm", "1.2.840.10008.1.2.2"),
    ("-xi", "CT_small.dcm", "1.2.840.10008.1.2"),
    ("-xy", "SC_rgb_jpeg_dcmtk.dcm", "1.2.840.10008.1.2.4.50"),
    ("-xs", "SC_rgb_jpeg_gdcm.dcm", "1.2.840.10008.1.2.4.70"),
]


def image(name: str) -> Path:
    return Path(str(get_testdata_file(name, download=False)))


def stored(gateway: RunningGateway) -> dict[str, Path]:
    """Return the gateway's files by SOP Instance UID."""
    files = gateway.data.glob("instances/*/*.dcm")
    return {str(dcmread(file, stop_before_pixels=True).SOPInstanceUID): file for file in files}


def to(gateway: RunningGateway) -> list[str]:
    return ["-v", "-aec", gateway.ae_title, "127.0.0.1", str(gateway.dicom_port)]


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with processes.gateway(tmp_path_factory.mktemp("extended"), sop_classes="extended") as running:
        yield running


def test_echoscu(tmp_path: Path) -> None:
    with processes.gateway(tmp_path) as gateway:
        done = dcmtk.run("echoscu", *to(gateway), folder=tmp_path)
        assert done.returncode == 0, done.stdout
        assert "Received Echo Response (Success)" in done.stdout
        port = str(gateway.dicom_port)
        wrong = dcmtk.run("echoscu", "-v", "-aec", "NONESUCH", "127.0.0.1", port, folder=tmp_path)
        assert wrong.returncode != 0
        assert "Rejected Permanent" in wrong.stdout
        assert "Called AE Title Not Recognized" in wrong.stdout


@pytest.mark.parametrize("program", ["storescu", "dcmsend"])
def test_real_images_are_held_unmatched(program: str, tmp_path: Path) -> None:
    """The first thing that a stranger tries: real CT, MR and US images, the default profile, no order."""
    files = [image(name) for name in IMAGES]
    with processes.gateway(tmp_path) as gateway:
        done = dcmtk.run(program, *to(gateway), *files, folder=tmp_path)
        assert done.returncode == 0, done.stdout
        assert done.stdout.count("Response (Success)") == len(files)
        gateway.await_states(len(files))
        status = simulate("status", "--url", gateway.http_url, "--json", folder=tmp_path)
        found = stored(gateway)
        accepted = dcmtk.run("dcmftest", *found.values(), folder=tmp_path)
        dumped = [dcmtk.run("dcmdump", "-q", file, folder=tmp_path) for file in found.values()]
    document = json.loads(status.stdout)
    schema = json.loads(simulate("schema", "status", folder=tmp_path).stdout)
    jsonschema.validate(document, schema)
    sent = {str(dcmread(file).SOPInstanceUID): dcmread(file) for file in files}
    assert {study["study_instance_uid"] for study in document["studies"]} == {
        image.StudyInstanceUID for image in sent.values()
    }
    for study in document["studies"]:
        assert study["state"] == "unmatched"
        assert {"accession.missing", "order.not-found"} & set(study["reasons"])
        assert (study["instances"], study["order"]) == (1, None)

    assert set(found) == set(sent)
    for uid, file in found.items():
        assert dcmread(file).pixel_array.tobytes() == sent[uid].pixel_array.tobytes()
    assert accepted.returncode == 0
    assert accepted.stdout.count("yes: ") == len(files)
    for dump in dumped:
        assert dump.returncode == 0, dump.stdout
        assert "(7fe0,0010)" in dump.stdout


def test_a_wrong_called_ae_title_is_refused(tmp_path: Path) -> None:
    with processes.gateway(tmp_path) as gateway:
        port = str(gateway.dicom_port)
        done = dcmtk.run("storescu", "-v", "-aec", "NONESUCH", "127.0.0.1", port, image(IMAGES[0]), folder=tmp_path)
        assert done.returncode != 0
        assert "Result: Rejected Permanent, Source: Service User" in done.stdout
        assert "Reason: Called AE Title Not Recognized" in done.stdout
        assert stored(gateway) == {}
        assert gateway.studies() == []


def test_a_site_that_names_its_callers_refuses_others(tmp_path: Path) -> None:
    with processes.gateway(tmp_path, callers=[{"ae_title": "CT1"}, {"ae_title": "MR 2"}]) as gateway:
        stranger = dcmtk.run("storescu", "-aet", "CT2", *to(gateway), image(IMAGES[0]), folder=tmp_path)
        assert stranger.returncode != 0
        assert "Reason: Calling AE Title Not Recognized" in stranger.stdout
        assert stored(gateway) == {}
        for caller, name in (("CT1", IMAGES[0]), ("MR 2", IMAGES[1])):
            known = dcmtk.run("storescu", "-aet", caller, *to(gateway), image(name), folder=tmp_path)
            assert known.returncode == 0, known.stdout
        titles = {dcmread(file).file_meta.SourceApplicationEntityTitle for file in stored(gateway).values()}
        assert titles == {"CT1", "MR 2"}


@pytest.mark.parametrize(("option", "name", "syntax"), COMPRESSED, ids=[UID(row[2]).keyword for row in COMPRESSED])
def test_a_transfer_syntax_arrives_as_it_was_sent(
    option: str, name: str, syntax: str, extended: RunningGateway, tmp_path: Path
) -> None:
    original = dcmread(image(name))
    # Each as an image of its own: some of the files are one picture in several syntaxes.
    uid = UID(f"2.25.{len(stored(extended)) + 1}")
    original.SOPInstanceUID = original.file_meta.MediaStorageSOPInstanceUID = uid
    original.StudyInstanceUID, original.SeriesInstanceUID = f"{uid}.1", f"{uid}.2"
    original.save_as(tmp_path / name)
    done = dcmtk.run("storescu", option, *to(extended), tmp_path / name, folder=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "Received Store Response (Success)" in done.stdout
    file = stored(extended)[uid]
    arrived = dcmread(file)
    assert arrived.file_meta.TransferSyntaxUID == syntax
    if arrived.file_meta.TransferSyntaxUID.is_compressed:
        assert arrived.PixelData == original.PixelData
    else:
        assert arrived.pixel_array.tobytes() == original.pixel_array.tobytes()
    assert dcmtk.run("dcmftest", file, folder=tmp_path).stdout.startswith("yes: ")
    dumped = dcmtk.run("dcmdump", "-q", file, folder=tmp_path)
    assert dumped.returncode == 0, dumped.stdout


def test_a_class_beyond_the_slide_is_not_taken(tmp_path: Path) -> None:
    with processes.gateway(tmp_path) as gateway:
        done = dcmtk.run("storescu", *to(gateway), image("SC_rgb_small_odd.dcm"), folder=tmp_path)
        assert done.returncode != 0
        assert "No presentation context for" in done.stdout
        assert gateway.studies() == []
