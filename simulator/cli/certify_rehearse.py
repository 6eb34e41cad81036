"""A rehearsal of a whole session: the facility is played on this machine, and nobody is asked anything."""

from __future__ import annotations

import secrets
import socket
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.cli import terminal
from simulator.cli.certify_options import session_folder

if TYPE_CHECKING:
    from simulator.certify.broken import Broken
    from simulator.certify.declaration import Declaration

_LOOPBACK = "127.0.0.1"
_MINUTES = 0.5  # for each test


def rehearse(named: str, reports: Path, seed: int | None) -> int:
    """Play the facility `named` through all tests, in a session of its own; return the exit code."""
    from simulator import strict_yaml
    from simulator.certify import broken, handover, session
    from simulator.certify.conduct import Conduct
    from simulator.certify.rehearsal import Facility
    from simulator.certify.rig import Pace, Rig
    from simulator.certify.screen import print_outcome
    from simulator.cli.certify_preflight import print_preflight
    from simulator.cli.certify_run import conclude
    from simulator.events import now

    how = broken.by_name(named)
    stamp = now()[:19].translate(str.maketrans("", "", "-:")) + "Z"
    folder = reports / f"{stamp}-rehearsal-{named.replace(':', '-')}"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "played.yaml"
    content = facility_here(reports, how.minutes or _MINUTES)
    secure(content, how, folder / "certificates")
    strict_yaml.write(content, file)
    session.begin(folder, file, secrets.randbits(32) if seed is None else seed, how.title)
    file.unlink()
    with session.Session(folder) as begun, ExitStack() as stack:
        terminal.out.print(f"seed {begun.seed}", highlight=False)
        terminal.out.print(f"Rehearsal: {how.title}", style="bold", markup=False, highlight=False)
        facility = stack.enter_context(Facility(begun.declared, how))
        rig = stack.enter_context(Rig(begun.declared, Pace(quiet_period=0.3, settle=0.8, after=0.2, retry_after=0.2)))
        conduct = Conduct(begun, rig, facility)
        tried = conduct.preflight()
        if print_preflight(tried):
            tried = conduct.go_on()
            for outcome in tried:
                print_outcome(terminal.out, outcome)
        stack.close()
        code = conclude(begun, tried)
        written = handover.write(begun, datetime.now(UTC).date())
        terminal.out.print(f"The report that this makes: {written.files[0]}", soft_wrap=True, markup=False)
        return code


def _declared(reports: Path) -> Declaration:
    """Return what the session of this reports folder declares, else the rehearsal's own."""
    from simulator import resources
    from simulator.certify import declaration
    from simulator.certify.session import DECLARATION

    mine = session_folder(reports) / DECLARATION
    if mine.is_file():
        return declaration.load(mine, resolve=lambda _: None, files=False)
    name = "facilities/rehearsal.yaml"
    return declaration.load(resources.folder("fixtures", name) / name)


def facility_here(reports: Path, minutes: float) -> dict[str, Any]:
    """Return what the session of a reports folder declares, else the rehearsal's own, moved to this machine.

    Everybody is on free ports of it. minutes: to wait in each test.
    """
    declared = _declared(reports)
    content = declared.model_dump(mode="json", exclude_none=True)
    ports = iter(_free_ports(2 + len(declared.systems)))
    content["gateway"] |= {"host": _LOOPBACK, "dicom_port": next(ports), "hl7_port": next(ports)}
    for system in content["systems"]:
        system["host"] = _LOOPBACK
        if "port" in system:
            system["port"] = next(ports)
    content["minutes"] = minutes
    return content


def secure(content: dict[str, Any], how: Broken, folder: Path) -> None:
    """Have the systems that are declared so, and who calls so by `how`, speak TLS, with certificates made in `folder`.

    What a script or a fault on the way is about goes to the port without TLS.
    """
    from simulator.wire import certificates

    systems = content["systems"]
    if how.script or how.fault is not None:
        for system in systems:
            system["tls"] = False
    if how.tls is not None:
        next(system for system in systems if "sends" in system["does"])["tls"] = True
    content["gateway"].pop("tls", None)
    if any(system.get("tls") for system in systems):
        certificates.make(folder)
        files = {"certificate": "gateway.pem", "key": "gateway.key", "ca": "ca.pem"}
        content["gateway"]["tls"] = {
            **{key: str((folder / name).absolute()) for key, name in files.items()},
            "port": _free_ports(1)[0],
            "client_certificates": "required",
        }


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server((_LOOPBACK, 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
