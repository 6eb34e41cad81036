"""Faults between DCMTK's programs, and between them and the gateway: what a peer that is not ours then says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from simulator.actors.modality import Modality
from simulator.events import ConnectionEnded, Event, ScriptEnded, StoreAnswered
from simulator.wire import part10
from simulator.wire.association import Address, Outgoing
from simulator.wire.data_set import EXPLICIT_VR_LITTLE_ENDIAN
from tests import processes
from tests.actors.relayed import ACCEPTED, Played, listening, relaying
from tests.interop import dcmtk
from tests.processes import RunningGateway

pytestmark = dcmtk.needed

FILES = [Path(str(get_testdata_file(name, download=False))) for name in ("CT_small.dcm", "MR_small.dcm")]
SENT = [part10.read(file.read_bytes()) for file in FILES]
HOST = "127.0.0.1"

SUCCESS = "Received Store Response (Success)"
REFUSED = "Received Store Response (Refused: OutOfResources)"
ENDED = "Peer aborted Association (or never connected)"
SILENT = "DIMSE No data available (timeout in non-blocking mode)"


@pytest.fixture(scope="module")
def storescp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    with dcmtk.storescp(tmp_path_factory.mktemp("storescp"), "+B") as running:
        yield running


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with processes.gateway(tmp_path_factory.mktemp("gateway")) as running:
        yield running


def kept(folder: Path) -> list[Outgoing]:
    """Return what is in the files of `folder`, by SOP Instance UID; it is empty afterwards."""
    found = []
    for file in folder.iterdir():
        found.append(part10.read(file.read_bytes()))
        file.unlink()
    return sorted(found, key=lambda each: each.sop_instance_uid)


@pytest.mark.parametrize(
    ("at", "do", "succeeded", "said", "arrived"),
    [
        ("C-STORE-RQ#2", "abort", 1, ENDED, [0]),
        ("C-STORE-RQ#2", "drop", 1, ENDED, [0]),
        ("C-STORE-RQ#2", "drop rst", 1, ENDED, [0]),
        ("C-STORE-RQ#1", "status A700", 0, REFUSED, []),
        ("C-STORE-RSP#1", "status A700", 0, REFUSED, [0]),
        ("C-STORE-RSP#1", "garbage", 0, "Invalid stream", [0]),
        ("C-STORE-RQ#2", "delay 300ms", 2, "", [0, 1]),
        ("C-STORE-RQ#2", "slow 40KB/s", 2, "", [0, 1]),
        ("C-STORE-RQ#1", "half-pdu", 0, SILENT, []),
        ("A-ASSOCIATE-RQ#1", "abort", 0, f"Association Request Failed: 0006:0317 {ENDED}", []),
        ("A-ASSOCIATE-AC#1", "drop rst", 0, f"Association Request Failed: 0006:0317 {ENDED}", []),
        ("A-RELEASE-RP#1", "drop", 2, "Association Release Failed", [0, 1]),
    ],
)
def test_storescu_to_storescp(
    storescp: tuple[int, Path], tmp_path: Path, at: str, do: str, succeeded: int, said: str, arrived: list[int]
) -> None:
    port, out = storescp
    with relaying(port, (at, do)) as relay:
        done = dcmtk.run("storescu", "-v", "-td", "2", "-ta", "5", HOST, str(relay.port), *FILES, folder=tmp_path)
        assert len(relay.injected()) == 1
    assert done.stdout.count(SUCCESS) == succeeded, done.stdout
    assert said in done.stdout
    assert (done.returncode == 0) == (said == "")
    # Not by their bytes: storescu leaves out the padding at the end of a data set.
    assert [each.sop_instance_uid for each in kept(out)] == [SENT[number].sop_instance_uid for number in arrived]


def test_storescp_keeps_what_a_relay_left_of_an_instance(storescp: tuple[int, Path]) -> None:
    """`storescp +B` writes the bytes that it gets: exactly half of the data set came."""
    port, out = storescp
    seen: list[Event] = []
    with relaying(port, ("C-STORE-RQ#2", "truncate")) as relay:
        Modality("MODALITY", Address("ANY-SCP", HOST, relay.port), seen.append).store(SENT)
    assert [event.status for event in seen if isinstance(event, StoreAnswered)] == ["0000", "0000"]
    half = len(SENT[1].data_set) // 2
    assert [each.data_set for each in kept(out)] == [SENT[0].data_set, SENT[1].data_set[:half]]


@pytest.mark.parametrize(
    ("at", "do", "said"),
    [
        ("C-STORE-RQ#1", "truncate", "Received Store Response (Error: CannotUnderstand)"),
        ("C-STORE-RQ#1", "garbage", "Received Store Response (Error: CannotUnderstand)"),
        ("C-STORE-RQ#1", "status A700", REFUSED),
        ("C-STORE-RQ#2", "abort", ENDED),
        ("C-STORE-RSP#2", "drop rst", ENDED),
    ],
)
def test_storescu_to_the_gateway(gateway: RunningGateway, tmp_path: Path, at: str, do: str, said: str) -> None:
    with relaying(gateway.dicom_port, (at, do)) as relay:
        to = ["-v", "-aec", gateway.ae_title, HOST, str(relay.port)]
        done = dcmtk.run("storescu", *to, *FILES, folder=tmp_path)
        assert done.returncode != 0
        assert said in done.stdout
        again = dcmtk.run("storescu", *to, *FILES, folder=tmp_path)
        assert again.stdout.count(SUCCESS) == len(FILES), again.stdout


def test_echoscu_gets_the_status_that_the_gateway_did_not_give(gateway: RunningGateway, tmp_path: Path) -> None:
    with relaying(gateway.dicom_port, ("C-ECHO-RQ#1", "status 0122")) as relay:
        done = dcmtk.run("echoscu", "-v", "-aec", gateway.ae_title, HOST, str(relay.port), folder=tmp_path)
    assert "Received Echo Response (Unknown Status: 0x122)" in done.stdout


def test_storescp_ends_a_connection_that_is_no_dicom_and_goes_on(storescp: tuple[int, Path], tmp_path: Path) -> None:
    here = Played([{"send": {"file": "pdu-type-unknown"}}, {"await_end": "any", "within": 5}])
    assert here.peer.play(HOST, storescp[0]), here.events
    assert [event.by for event in here.of(ConnectionEnded)] == ["peer"]
    assert dcmtk.run("echoscu", HOST, str(storescp[0]), folder=tmp_path).returncode == 0


def test_storescu_is_answered_another_message_by_a_script(tmp_path: Path) -> None:
    wrong = {"message": "C-STORE-RSP", "message_id_being_responded_to": 999}
    steps = [*ACCEPTED, {"recv": "C-STORE-RQ"}, {"send": wrong}, {"await_end": "any"}]
    with listening(*steps) as (there, port):
        done = dcmtk.run("storescu", "-v", HOST, str(port), FILES[0], folder=tmp_path)
        assert there.peer.join(10)
    assert done.returncode != 0
    assert "Unexpected Response MsgId: 999" in done.stdout
    assert [event.problem for event in there.of(ScriptEnded)] == [""]
    assert [event.how for event in there.of(ConnectionEnded)] == ["abort"]


def test_the_files_are_of_the_syntax_that_both_sides_take() -> None:
    assert {outgoing.transfer_syntax_uid for outgoing in SENT} == {EXPLICIT_VR_LITTLE_ENDIAN}
