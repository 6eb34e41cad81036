"""`simulate order`: one HL7 order, made or from a file, and what the gateway acknowledged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from simulator.scenario.messages import order_message
from tests import processes
from tests.processes import RunningGateway, simulate
from tests.synthesis import made


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with processes.gateway(tmp_path_factory.mktemp("gateway")) as running:
        yield running


def orders(gateway: RunningGateway) -> set[str]:
    listed = httpx.get(f"{gateway.http_url}/orders").json()["orders"]
    return {order["accession_number"] for order in listed}


def kept_aside(gateway: RunningGateway) -> dict[bytes, dict[str, str]]:
    """Return what the gateway refused, and why."""
    files = (gateway.data / "refused").glob("*.hl7")
    return {file.read_bytes(): json.loads(file.with_suffix(".json").read_text(encoding="utf-8")) for file in files}


@pytest.mark.parametrize("message", ["ORM^O01", "OMI^O23", "ORU^R01"])
def test_an_order_is_accepted(message: str, gateway: RunningGateway, tmp_path: Path) -> None:
    number = f"SYNCT2400000{len(message) + ord(message[1]):03d}A"
    fields = ("--hkid", "A1234563", "--name", "CHAN^TAI MAN", "--birth-date", "19700131", "--sex", "M")
    done = simulate("order", "--to", gateway.hl7, "--message", message, "--accession", number, *fields, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    *segments, last = done.stdout.splitlines()
    assert last == "acknowledged AA"
    assert segments[0].split("|")[8] == message
    pid = segments[1].split("|")
    assert (pid[3], pid[5], pid[7], pid[8]) == ("A1234563", "CHAN^TAI MAN", "19700131", "M")
    assert number in orders(gateway)


def test_the_seed_makes_the_order(tmp_path: Path) -> None:
    """Without a listener the message is printed all the same, and that nobody took it."""
    to = ("--to", f"127.0.0.1:{processes.free_port()}")
    first, again, other = (simulate("order", *to, "--seed", seed, folder=tmp_path) for seed in ("7", "7", "8"))
    assert first.returncode == again.returncode == other.returncode == 1
    assert first.stdout.startswith("MSH|")
    assert "no acknowledgement: no HL7 listener at 127.0.0.1:" in first.stdout
    assert first.stdout == again.stdout != other.stdout


def test_an_order_that_the_gateway_refuses_is_1_and_kept_aside(gateway: RunningGateway, tmp_path: Path) -> None:
    done = simulate("order", "--to", gateway.hl7, "--accession", "TOO-SHORT", folder=tmp_path)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("acknowledged AE ")
    assert "accession.malformed.length" in done.stdout.splitlines()[-1]
    assert "TOO-SHORT" not in orders(gateway)
    assert [why["code"] for raw, why in kept_aside(gateway).items() if b"TOO-SHORT" in raw] == ["AE"]


@pytest.mark.parametrize("content", [b"good morning\n", b"", b"MSH|^~\\&|A|B|C|D|20240101||ADT^A01|1|P|2.3.1\r"])
def test_a_file_that_is_no_order_is_1_and_kept_aside(content: bytes, gateway: RunningGateway, tmp_path: Path) -> None:
    (tmp_path / "message.hl7").write_bytes(content)
    done = simulate("order", "--to", gateway.hl7, "--file", "message.hl7", folder=tmp_path)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("acknowledged AR ")
    sent = content.replace(b"\n", b"\r")
    assert kept_aside(gateway)[sent]["code"] == "AR"


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_message_from_an_editor_is_one(line_end: str, gateway: RunningGateway, tmp_path: Path) -> None:
    order = made.an_order(f"from a file {line_end!r}")
    message = order_message(order, "ORM^O01").message.decode()
    (tmp_path / "order.hl7").write_bytes(message.replace("\r", line_end).encode())
    done = simulate("order", "--to", gateway.hl7, "--file", "order.hl7", folder=tmp_path)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "acknowledged AA")
    assert order.accession_number in orders(gateway)


def placed(gateway: RunningGateway, folder: Path, *options: str) -> tuple[int, list[str]]:
    """Return the exit code and what was acknowledged."""
    done = simulate("order", "--to", gateway.hl7, *options, folder=folder)
    assert done.stderr == ""
    return done.returncode, [line for line in done.stdout.splitlines() if line[3:4] != "|"]


def test_an_order_is_changed_cancelled_and_ordered_again(gateway: RunningGateway, tmp_path: Path) -> None:
    number = ("--accession", "SYNCT2400000777A", "--hkid", "A1234563")
    keys = (*number, "--name", "CHAN^TAI MAN", "--birth-date", "19700131", "--sex", "F")
    assert placed(gateway, tmp_path, *number) == (0, ["acknowledged AA"])
    assert placed(gateway, tmp_path, "--change", *keys) == (0, ["acknowledged AA"])
    assert placed(gateway, tmp_path, "--cancel", *number, "--enhanced") == (0, ["acknowledged CA", "acknowledged AA"])
    listed = {o["accession_number"]: o["cancelled"] for o in httpx.get(f"{gateway.http_url}/orders").json()["orders"]}
    assert listed["SYNCT2400000777A"] is True
    code, [last] = placed(gateway, tmp_path, "--change", *keys)
    assert code == 1
    assert last == "acknowledged AE order SYNCT2400000777A is cancelled; only a new order (NW) brings it back"
    assert placed(gateway, tmp_path, *number) == (0, ["acknowledged AA"])


def test_a_patient_is_updated_and_merged(gateway: RunningGateway, tmp_path: Path) -> None:
    number = "SYNCT2400000778A"
    placed(gateway, tmp_path, "--accession", number, "--hkid", "TP1490258", "--sex", "M")
    assert placed(gateway, tmp_path, "--update-patient", "--hkid", "TP149025(8)", "--sex", "F")[0] == 0
    assert placed(gateway, tmp_path, "--merge-from", "TP1490258", "--hkid", "D2887542", "--enhanced")[1] == [
        "acknowledged CA",
        "acknowledged AA",
    ]
    told = httpx.get(f"{gateway.http_url}/events").json()
    changes = [(e["message_type"], e["orders"]) for e in told if e["event"] == "PatientChanged"]
    assert changes == [("ADT^A08", [number]), ("ADT^A40", [number])]


def test_what_is_not_given_of_a_patient_is_not_said(tmp_path: Path) -> None:
    to = ("--to", f"127.0.0.1:{processes.free_port()}")
    done = simulate("order", *to, "--update-patient", "--hkid", "A1234563", "--name", "CHAN^TAI MAN", folder=tmp_path)
    [pid] = [line for line in done.stdout.splitlines() if line.startswith("PID")]
    assert pid == "PID|1||A1234563||CHAN^TAI MAN"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--change", "--cancel"), "--change and --cancel do not go together"),
        (("--update-patient", "--merge-from", "A1234563"), "--update-patient and --merge-from do not go together"),
        (("--update-patient", "--sex", "F"), "--update-patient and --merge-from need --hkid"),
        (("--change", "--accession", "A"), "--change needs --hkid, --name, --birth-date and --sex"),
        (("--change", "--accession", "A", "--hkid", "A1234563", "--name", "X^Y", "--sex", "F"), "needs --birth-date\n"),
        (("--cancel", "--accession", "A"), "--cancel needs --hkid\n"),
        (("--cancel", "--hkid", "A1234563"), "--cancel needs --accession\n"),
        (("--accession-location", "OBR-4"), "'OBR-4' is not one of"),
    ],
)
def test_what_cannot_be_asked_for_is_2(options: tuple[str, ...], problem: str, tmp_path: Path) -> None:
    done = simulate("order", "--to", "127.0.0.1:1", *options, folder=tmp_path)
    assert done.returncode == 2
    assert problem in done.stderr
