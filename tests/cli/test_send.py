"""`simulate send`: files and folders to a gateway, and every way in which that can fail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from tests import processes
from tests.processes import RunningGateway, simulate
from tests.synthesis import made


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with processes.gateway(tmp_path_factory.mktemp("gateway")) as running:
        yield running


def held(gateway: RunningGateway) -> set[str]:
    return {study["study_instance_uid"] for study in gateway.studies()}


def test_a_folder_goes_and_a_stray_file_in_it_is_skipped_and_named(gateway: RunningGateway, tmp_path: Path) -> None:
    study = made.a_study("folder", instances=3)
    processes.written(study, tmp_path / "study" / "series")
    (tmp_path / "study" / "notes [1].txt").write_text("not an image", encoding="utf-8")
    done = simulate("send", "study", "--to", gateway.address, folder=tmp_path)
    assert done.returncode == 0
    assert done.stderr == (
        "skipped study/notes [1].txt: not a DICOM file: bytes 128 to 131 are not 'DICM' (PS3.10 7.1)\n"
    )
    assert done.stdout == f"     3  answered 0000\n3 of 3 instances stored by {gateway.address}\n"
    assert study.study_instance_uid in held(gateway)


def test_named_files_that_are_not_dicom_are_2_and_nothing_is_sent(gateway: RunningGateway, tmp_path: Path) -> None:
    study = made.a_study("beside")
    (image,) = processes.written(study, tmp_path)
    not_dicom = "not a DICOM file: bytes 128 to 131 are not 'DICM' (PS3.10 7.1)"
    bad = {
        "text.dcm": (b"not an image", not_dicom),
        "empty.dcm": (b"", not_dicom),
        "magic.dcm": (bytes(128) + b"DICM", "the file meta information has no SOP class and no SOP instance"),
        "meta.dcm": (image.read_bytes()[: -len(study.instances[0].data_set)], "there is no data set to send"),
    }
    for name, (content, _) in bad.items():
        (tmp_path / name).write_bytes(content)
    done = simulate("send", image, *bad, "--to", gateway.address, folder=tmp_path)
    assert done.returncode == 2
    *errors, hint = done.stderr.splitlines()
    for error, (name, (_, said)) in zip(errors, bad.items(), strict=True):
        assert error.removeprefix("error: ").startswith(f"{name}: ")
        assert said in error
    assert hint == "  hint: nothing was sent"
    assert done.stdout == ""
    assert study.study_instance_uid not in held(gateway)


@pytest.mark.parametrize(("name", "said"), [("empty", "an empty folder"), ("texts", "no DICOM file found")])
def test_a_folder_without_images_is_2(name: str, said: str, gateway: RunningGateway, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "notes.txt").write_text("not an image", encoding="utf-8")
    done = simulate("send", name, "--to", gateway.address, folder=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr


def test_nobody_listens(tmp_path: Path) -> None:
    files = processes.written(made.a_study(), tmp_path)
    port = processes.free_port()
    done = simulate("send", *files, "--to", f"HAGATEWAY@127.0.0.1:{port}", folder=tmp_path)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        f"nothing listens on 127.0.0.1:{port}, or it cannot be reached from here",
        "     1  not answered: no association",
        f"0 of 1 instances stored by HAGATEWAY@127.0.0.1:{port}",
    ]


def test_a_wrong_called_ae_title_is_told_as_the_pdu_had_it(gateway: RunningGateway, tmp_path: Path) -> None:
    files = processes.written(made.a_study("wrong title"), tmp_path)
    to = f"NONESUCH@127.0.0.1:{gateway.dicom_port}"
    done = simulate("send", *files, "--to", to, "--calling", "CT1", folder=tmp_path)
    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == (
        f"{to} rejected the association of CT1 permanently: "
        "called AE title not recognised (result 1, source 1, reason 7)"
    )
    again = simulate("send", *files, "--to", to, "--json", folder=tmp_path)
    assert again.returncode == 1
    document = json.loads(again.stdout)
    assert (document["sent"], document["stored"]) == (1, 0)
    rejected, lost = document["events"]
    assert (rejected["event"], rejected["result"], rejected["source"], rejected["reason"]) == (
        "AssociationRejected", 1, 1, 7,
    )  # fmt: skip
    assert (lost["event"], lost["problem"]) == ("StoreFailed", "no association")


def test_every_answer_as_json(gateway: RunningGateway, tmp_path: Path) -> None:
    study = made.a_study("json", instances=2)
    files = processes.written(study, tmp_path)
    done = simulate("send", *files, "--to", gateway.address, "--json", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert (document["sent"], document["stored"]) == (2, 2)
    accepted, *answers = document["events"]
    assert (accepted["event"], accepted["proposed"], accepted["accepted"]) == ("AssociationAccepted", 1, 1)
    assert [a["sop_instance_uid"] for a in answers] == [i.sop_instance_uid for i in study.instances]
    assert {(a["event"], a["status"]) for a in answers} == {("StoreAnswered", "0000")}


def test_what_the_gateway_refuses_is_1_with_status_and_comment(gateway: RunningGateway, tmp_path: Path) -> None:
    whole, cut = made.a_study("refused", instances=2).instances
    (tmp_path / "1.dcm").write_bytes(whole.part10())
    (tmp_path / "2.dcm").write_bytes(cut.part10()[:-100])
    done = simulate("send", "1.dcm", "2.dcm", "--to", gateway.address, folder=tmp_path)
    assert done.returncode == 1
    first, second, last = done.stdout.splitlines()
    assert first == "     1  answered 0000"
    assert second.startswith("     1  answered C000 ")
    assert "(7FE0,0010)" in second, "the Error Comment is not passed on"
    assert last == f"1 of 2 instances stored by {gateway.address}"
    kept = [file.read_bytes() for file in (gateway.data / "refused").glob("*.dataset")]
    assert cut.data_set[:-100] in kept


def test_a_class_that_the_gateway_does_not_take_is_1(gateway: RunningGateway, tmp_path: Path) -> None:
    file = tmp_path / "capture.dcm"
    image = dcmread(str(get_testdata_file("SC_rgb_small_odd.dcm")))
    image.save_as(file)
    done = simulate("send", file, "--to", gateway.address, folder=tmp_path)
    assert done.returncode == 1
    assert "no presentation context for Secondary Capture Image Storage" in done.stdout
