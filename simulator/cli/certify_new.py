"""`simulate certify new`: declares a facility, and begins its session."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator.cli import terminal
from simulator.cli.certify_options import DEFAULT_REPORTS, Reports, session_folder
from simulator.errors import LoadError, UsageError

if TYPE_CHECKING:
    from simulator.certify.session import Session


def command(
    site: Annotated[
        Path | None,
        typer.Option("--site", metavar="FILE", help="The declaration. Without it, the questions are asked here."),
    ] = None,
    reports: Reports = DEFAULT_REPORTS,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", min=0, help="The same patients as in an earlier session.")
    ] = None,
) -> None:
    """Declare the facility: who is where, who does what. Prints the tests that follow from it."""
    from simulator.certify import declaration, session

    folder = session_folder(reports)
    session.refuse_another(folder)
    if site is None:
        site = _asked(reports)
    declaration.load(site)
    session.begin(folder, site, secrets.randbits(32) if seed is None else seed)
    with session.Session(folder) as begun:
        print_programme(begun)
    terminal.out.print(f"\nThe session is in {folder}. Next: simulate certify worksheet, then preflight, then run.")


def print_programme(session: Session) -> None:
    """Print the session's tests, and those that do not apply with the reason."""
    applicable = session.applicable
    terminal.out.print(f"seed {session.seed}", highlight=False)
    terminal.out.print(f"Your {len(applicable)} tests:", style="bold", highlight=False)
    for test in applicable:
        terminal.out.print(f"  {test.id}  {test.title}", markup=False, highlight=False)
    left_out = [test for test in session.tests if not test.applies]
    if left_out:
        terminal.out.print("Not for this facility:", style="bold")
    for test in left_out:
        terminal.out.print(f"  {test.id}  {test.why_not}", markup=False, highlight=False)


def _asked(reports: Path) -> Path:
    """Ask for the declaration, and write it beside the session to come; each answer is checked at once."""
    from simulator import strict_yaml
    from simulator.certify import declaration

    content: dict[str, Any] = {"facility": {}, "gateway": {}, "systems": [], "orders": {}}
    content["facility"]["name"] = typer.prompt("Name of the hospital or imaging centre")
    content["facility"]["hospital_code"] = typer.prompt("First three characters of its accession numbers", "SYN")
    here = content["gateway"]
    here["ae_title"] = typer.prompt("AE title of the gateway, as your systems call it", "HAGATEWAY")
    here["host"] = typer.prompt("Address of this machine, as your systems reach it", "127.0.0.1")
    here["dicom_port"] = typer.prompt("Its TCP port for DICOM", 11112, type=int)
    here["hl7_port"] = typer.prompt("Its TCP port for HL7", 2575, type=int)
    while not content["systems"] or typer.confirm("Another system?", default=False):
        content["systems"].append(_asked_system(len(content["systems"]) + 1))
    if any(system["tls"] for system in content["systems"]):
        here["tls"] = {
            "port": typer.prompt("TCP port of the gateway for DICOM over TLS", 2762, type=int),
            "certificate": typer.prompt("  its certificate, a file in PEM (`simulate certs` makes a set to try)"),
            "key": typer.prompt("  its private key"),
            "ca": typer.prompt("  the certificate of the CA that your systems' certificates come from"),
        }
    sends = typer.confirm("Does your own RIS send the HL7 orders?", default=False)
    content["orders"]["sent_by"] = "facility" if sends else "tool"
    reports.mkdir(parents=True, exist_ok=True)
    file = reports / "declaration.yaml"
    strict_yaml.write(content, file)
    try:
        declaration.load(file)
    except LoadError as error:
        raise UsageError(f"{error}", f"mend {file}, and begin by: simulate certify new --site {file}") from error
    return file


def _asked_system(number: int) -> dict[str, Any]:
    from simulator.certify.declaration import DEFAULT_SYNTAXES
    from simulator.rules.sop_classes import SEED_IMAGE_CLASSES

    system: dict[str, Any] = {"name": typer.prompt(f"System {number}: what do people call it", f"CT{number:02}")}
    system["ae_title"] = typer.prompt("  its AE title", system["name"])
    system["host"] = typer.prompt("  its address", "127.0.0.1")
    does = [
        role
        for role, question in (
            ("sends", "  does it send images?"),
            ("receives", "  does it receive images?"),
            ("commitment", "  does it ask for storage commitment?"),
        )
        if typer.confirm(question, default=role == "sends")
    ]
    system["does"] = does
    if {"receives", "commitment"} & set(does):
        system["port"] = typer.prompt("  the TCP port on which it listens", 104, type=int)
    known = ", ".join(each.name.removesuffix(" Image Storage") for each in SEED_IMAGE_CLASSES)
    terminal.out.print(f"  SOP classes of the gateway: {known}", markup=False, highlight=False)
    named = typer.prompt("  its SOP classes, separated by semicolons", "CT Image Storage")
    system["sop_classes"] = [part.strip() for part in named.split(";") if part.strip()]
    syntaxes = typer.prompt("  its transfer syntaxes, separated by semicolons", "; ".join(DEFAULT_SYNTAXES))
    system["transfer_syntaxes"] = [part.strip() for part in syntaxes.split(";") if part.strip()]
    system["tls"] = typer.confirm("  does it speak DICOM over TLS?", default=False)
    return system
