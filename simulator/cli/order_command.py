"""`simulate order`: an order placer that sends one HL7 message about an order or its patient."""

from __future__ import annotations

import dataclasses
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from simulator.cli import terminal
from simulator.errors import UsageError

if TYPE_CHECKING:
    from simulator.events import Event
    from simulator.scenario.messages import Asking
    from simulator.synthesis.orders import Order


def command(
    to: Annotated[str, typer.Option("--to", metavar="HOST:PORT", help="The gateway's HL7 listener (MLLP).")],
    message: Annotated[
        Literal["ORM^O01", "OMI^O23", "ORU^R01"], typer.Option("--message", help="Which message carries the order.")
    ] = "ORM^O01",
    file: Annotated[
        Path | None, typer.Option("--file", metavar="F", help="Send this message, as it is, instead of making one.")
    ] = None,
    accession: Annotated[str | None, typer.Option("--accession", help="Accession number.")] = None,
    hkid: Annotated[str | None, typer.Option("--hkid", help="HKID with its check character.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name in English, as in DICOM: CHAN^TAI MAN.")] = None,
    birth_date: Annotated[str | None, typer.Option("--birth-date", metavar="YYYYMMDD", help="Date of birth.")] = None,
    sex: Annotated[str | None, typer.Option("--sex", help="M, F or O.")] = None,
    modality: Annotated[str, typer.Option("--modality", help="Modality of the study that is ordered.")] = "CT",
    change: Annotated[
        bool,
        typer.Option(
            "--change", help="Change the order (ORC-1 XO); needs --accession, --hkid, --name, --birth-date and --sex."
        ),
    ] = False,
    cancel: Annotated[
        bool, typer.Option("--cancel", help="Cancel the order (ORC-1 CA); needs --accession and --hkid.")
    ] = False,
    update_patient: Annotated[
        bool,
        typer.Option("--update-patient", help="Say what is given of the patient --hkid, and no more (ADT^A08)."),
    ] = False,
    merge_from: Annotated[
        str | None,
        typer.Option("--merge-from", metavar="HKID", help="Merge this prior HKID into the patient --hkid (ADT^A40)."),
    ] = None,
    enhanced: Annotated[
        bool, typer.Option("--enhanced", help="Ask for both acknowledgements of the enhanced mode (MSH-15 and 16 AL).")
    ] = False,
    accession_at: Annotated[
        Literal["by-message-type", "OBR-2", "OBR-3", "OBR-18", "ORC-2", "ORC-3", "IPC-1"],
        typer.Option("--accession-location", help="Where the message has the accession number."),
    ] = "by-message-type",
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="N", min=0, help="Makes the synthetic rest of the order. Default: a new one."),
    ] = None,
) -> None:
    """Send one HL7 message by MLLP and print its acknowledgements; what a new order lacks is synthetic.

    The message is a new order, its change or its cancel, or an update or a merge of its patient. Exit 1 unless AA.
    """
    from simulator.actors.order_placer import OrderPlacer
    from simulator.scenario.messages import Asking, order_message

    host, port = _listener(to)
    keys = {"hkid": hkid, "name": name, "birth_date": birth_date, "sex": sex}
    asked = ("AL", "AL") if enhanced else ("", "")
    _check_that_it_is_one_thing(file, change, cancel, update_patient, merge_from)
    if change:
        _check_that_nothing_is_invented("--change", {"accession": accession} | keys)
    if cancel:
        _check_that_nothing_is_invented("--cancel", {"accession": accession, "hkid": hkid})
    number = ""
    if file is not None:
        content = _file(file)
    elif update_patient or merge_from is not None:
        content = _patient(keys, merge_from, Asking(0, *asked), message)
    else:
        order = _order(secrets.randbits(32) if seed is None else seed, modality, accession, keys)
        control = "XO" if change else "CA" if cancel else "NW"
        content = order_message(order, message, control, Asking(0, *asked, accession_at)).message
        number = order.accession_number
    terminal.out.print(content.decode("utf-8", "replace").replace("\r", "\n").rstrip(), soft_wrap=True, markup=False)
    accepted = OrderPlacer(host, port, _print).send(content, number)
    raise typer.Exit(0 if accepted else 1)


def _check_that_it_is_one_thing(
    file: Path | None, change: bool, cancel: bool, update_patient: bool, merge_from: str | None
) -> None:
    chosen = {
        "--file": file is not None,
        "--change": change,
        "--cancel": cancel,
        "--update-patient": update_patient,
        "--merge-from": merge_from is not None,
    }
    together = [option for option, given in chosen.items() if given]
    if len(together) > 1:
        raise UsageError(f"{' and '.join(together)} do not go together", "a message is one thing; send one for each")


def _check_that_nothing_is_invented(option: str, needed: dict[str, str | None]) -> None:
    """Raise `UsageError` where an order that somebody placed would get a value that nobody gave."""
    lacking = [f"--{name.replace('_', '-')}" for name, value in needed.items() if not value]
    if lacking:
        *most, last = lacking
        named = f"{', '.join(most)} and {last}" if most else last
        reason = "it is about an order that is there, and for its patient: a made-up value would be somebody else's"
        raise UsageError(f"{option} needs {named}", reason)


def _patient(keys: dict[str, str | None], merge_from: str | None, asking: Asking, message: str) -> bytes:
    """Return an ADT message that says of a patient what was given, and leaves the rest as it is."""
    from simulator.scenario.messages import patient_message
    from simulator.synthesis import orders, people
    from simulator.wire import hl7_messages, hl7_patients

    if not keys["hkid"]:
        raise UsageError("--update-patient and --merge-from need --hkid", "it says which patient the message is about")
    said = hl7_patients.PatientData(
        keys["hkid"], keys["name"], keys["birth_date"], keys["sex"], prior_id=merge_from or ""
    )
    kind = hl7_patients.UPDATE if merge_from is None else hl7_patients.MERGE
    seed = str(secrets.randbits(32))  # of the control id and the time; the message says nothing of an order
    order = orders.order(seed, people.person(seed))
    return patient_message(order, kind, said, hl7_messages.VERSIONS[message], asking).message


def _listener(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 65536):
        raise UsageError(f"{text!r} is not HOST:PORT", "for example 127.0.0.1:2575")
    return host.strip("[]"), int(port)


def _file(file: Path) -> bytes:
    try:
        # HL7 parts segments by carriage returns, editors write line feeds.
        return file.read_bytes().replace(b"\r\n", b"\r").replace(b"\n", b"\r")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error


def _order(seed: int, modality: str, accession: str | None, keys: dict[str, str | None]) -> Order:
    from simulator.synthesis import orders, people

    given = {key: value for key, value in keys.items() if value is not None}
    if "name" in given:
        given |= {"ideographic": "", "simplified": ""}
    person = dataclasses.replace(people.person(str(seed)), **given)
    try:
        order = orders.order(str(seed), person, modality=modality)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return order if accession is None else dataclasses.replace(order, accession_number=accession)


def _print(event: Event) -> None:
    from simulator.events import OrderAcknowledged, OrderFailed, OrderUnanswered

    if isinstance(event, OrderAcknowledged):
        terminal.out.print(f"acknowledged {event.code} {event.text}".rstrip(), soft_wrap=True, markup=False)
    elif isinstance(event, OrderUnanswered):
        terminal.out.print("sent; no acknowledgement is due, and none came")
    elif isinstance(event, OrderFailed):
        terminal.out.print(f"no acknowledgement: {event.problem}", soft_wrap=True, markup=False)
