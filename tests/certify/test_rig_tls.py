"""Sessions over TLS, from the preflight to the certificate: real handshakes, and what is said within them is judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from simulator.certify import broken, declaration, session
from simulator.certify.broken import Broken
from simulator.certify.rig import Pace, Rig
from simulator.cli.certify_rehearse import facility_here
from simulator.errors import LoadError, StartError
from simulator.wire import certificates, tls_records
from tests import processes
from tests.certify.played import answered, begin, declare, play

TESTS = ["echo[CT01]", "order", "study[CT01,CTImage]", "unmatched[CT01]", "commitment[CT01]", "receive[PACS1]"]
OVER_TLS = {name: how for name, how in broken.facilities().items() if how.tls is not None}


def all_over_tls(folder: Path) -> dict[str, Any]:
    """Return the rehearsal's facility with every system set to TLS."""
    content = facility_here(folder, 0.5)
    for system in content["systems"]:
        system["tls"] = True
    return {"systems": content["systems"]}


def written(folder: Path, **tls: Any) -> Path:
    """Write a declaration with TLS, and return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    content = facility_here(folder, 0.5) | all_over_tls(folder)
    content["gateway"]["tls"] = {"certificate": "own/gateway.pem", "key": "own/gateway.key", "ca": "own/ca.pem"} | tls
    file = folder / "facility.yaml"
    with file.open("w", encoding="utf-8") as out:
        YAML().dump(content, out)
    return file


def links(folder: Path) -> set[str]:
    """Return the links of which the evidence of a session has captures."""
    return {file.name.rpartition("-")[0] for file in (folder / "evidence").rglob("*.pcap")}


def test_a_facility_that_speaks_tls_everywhere_is_certifiable(tmp_path: Path) -> None:
    folder = begin(tmp_path, **all_over_tls(tmp_path))
    seen = play(folder)
    assert set(seen.verdicts().values()) == {"pass"}, seen.verdicts()
    assert [outcome.id for outcome in seen.tests] == TESTS
    assert (seen.cards("must"), seen.cards("should"), seen.cards("note")) == (set(), set(), set())
    told = answered(folder)
    assert told.certifiable, told.against
    assert links(folder) == {
        "facility-tls-to-gateway",
        "facility-inside-tls-to-gateway",
        "orders-to-gateway",
        *(f"{link}-to-{name}" for link in ("gateway", "gateway-tls") for name in ("CT01", "PACS1")),
    }
    within = next((folder / "evidence").rglob("facility-inside-tls-to-gateway-1.pcap")).read_bytes()
    assert b"HAGATEWAY" in within
    raw = next((folder / "evidence").rglob("facility-tls-to-gateway-1.pcap")).read_bytes()
    assert b"HAGATEWAY" not in raw


def test_systems_show_themselves_within_tls(tmp_path: Path) -> None:
    """What a certificate stands on is read there: the Implementation Class UID (PS3.7 D.3.3.2)."""
    folder = begin(tmp_path, **all_over_tls(tmp_path))
    play(folder, only=["echo[CT01]"])
    with session.Session(folder) as opened:
        assert {system for system, _ in opened.seen()} == {"CT01", "PACS1"}


@pytest.mark.parametrize("name", ["tls-too-old", "tls-other-name"])
def test_what_is_wrong_of_tls_has_its_card_and_no_other(name: str, tmp_path: Path) -> None:
    """`test_sessions` plays them all."""
    how = OVER_TLS[name]
    seen = play(begin(tmp_path, 0.5, how), how)
    assert seen.cards() == {how.card}, seen.verdicts()


def test_the_bytes_of_an_old_hello_are_the_evidence(tmp_path: Path) -> None:
    how = OVER_TLS["tls-too-old"]
    seen = play(begin(tmp_path, 0.5, how), how, only=["echo[CT01]"])
    [card] = [card for outcome in seen.tests for card in outcome.cards if card.id == "tls.version"]
    [evidence] = card.evidence
    hello = tls_records.hello(evidence.data)
    assert hello is not None
    assert hello.version_words == "TLS 1.1"
    assert evidence.capture.endswith("facility-tls-to-gateway-1.pcap")


def test_a_system_with_tls_stands_beside_one_without(tmp_path: Path) -> None:
    how = Broken(title="", card="", tls="well")
    folder = begin(tmp_path, 0.5, how)
    seen = play(folder, how)
    assert set(seen.verdicts().values()) == {"pass"}, seen.verdicts()
    assert {"facility-inside-tls-to-gateway", "gateway-to-PACS1", "gateway-tls-to-CT01"} <= links(folder)
    assert "gateway-tls-to-PACS1" not in links(folder)


def test_preflight_says_in_words_why_there_is_no_tls(tmp_path: Path) -> None:
    how = OVER_TLS["tls-expired"]
    seen = play(begin(tmp_path, 0.5, how), how)
    [failed] = [outcome for outcome in seen.preflight if outcome.verdict == "fail"]
    assert failed.id == "verify[CT01]"
    assert "the peer's certificate has expired" in failed.checks[0].because
    assert failed.checks[0].because.startswith("no TLS with 127.0.0.1:")


def test_the_gateway_behind_speaks_no_tls(tmp_path: Path) -> None:
    declared = declaration.load(declare(tmp_path, **all_over_tls(tmp_path)))
    site = Rig(declared, Pace()).site()
    assert site.gateway.tls is None
    assert [caller for caller in site.callers if not isinstance(caller, str) and caller.tls] == []


# --- the declaration ------------------------------------------------------------------------------------------


def test_files_are_found_beside_the_declaration_and_from_the_session(tmp_path: Path) -> None:
    certificates.make(tmp_path / "there" / "own")
    file = written(tmp_path / "there")
    session.begin(tmp_path / "session", file, 1)
    with session.Session(tmp_path / "session") as opened:
        for declared in (declaration.load(file), opened.declared):
            assert declared.gateway.tls is not None
            assert declared.gateway.tls.key == tmp_path / "there" / "own" / "gateway.key"
        with Rig(opened.declared, Pace()):
            pass


def test_a_file_that_is_not_there_is_a_mistake_with_its_place(tmp_path: Path) -> None:
    certificates.make(tmp_path / "own")
    with pytest.raises(LoadError, match=r"facility.yaml:\d+:\d+: gateway.tls.ca: there is no file .*nobody.pem"):
        declaration.load(written(tmp_path, ca="own/nobody.pem"))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"ca": None}, "CT01 is called over TLS, which needs `gateway.tls` with its `ca`"),
        ({"port": "off"}, "CT01 sends over TLS, which needs a `port` in `gateway.tls`"),
    ],
)
def test_tls_that_cannot_be_is_a_mistake(changed: dict[str, Any], words: str, tmp_path: Path) -> None:
    certificates.make(tmp_path / "own")
    with pytest.raises(LoadError, match=words):
        declaration.load(written(tmp_path, **changed))


def test_a_key_that_does_not_fit_is_told_before_anything_listens(tmp_path: Path) -> None:
    certificates.make(tmp_path / "own")
    declared = declaration.load(written(tmp_path, key="own/modality.key"))
    with pytest.raises(StartError, match="no certificate with its key"):
        Rig(declared, Pace())


def test_a_script_goes_to_the_port_without_tls() -> None:
    with pytest.raises(ValueError, match="goes to the port without TLS"):
        Broken(title="", card="", tls="well", script=({"await_end": "any"},))


# --- at the command line --------------------------------------------------------------------------------------


def test_a_rehearsal_of_a_session_with_tls_speaks_it(tmp_path: Path) -> None:
    certificates.make(tmp_path / "own")
    file = written(tmp_path)
    assert processes.simulate("certify", "new", "--site", file, folder=tmp_path).returncode == 0
    done = processes.simulate("certify", "run", "--as-facility", "well", "--seed", "3", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "fail" not in done.stdout
    [folder] = (tmp_path / "reports").glob("*-rehearsal-well")
    assert "facility-inside-tls-to-gateway" in links(folder)
