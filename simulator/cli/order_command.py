"""`simulate order`: an order placer that sends one HL7 order."""

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
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="N", min=0, help="Makes the synthetic rest of the order. Default: a new one."),
    ] = None,
) -> None:
    """Send one order by MLLP and print its acknowledgement; what is not given is synthetic. Exit 1 unless AA."""
    from simulator.actors.order_placer import OrderPlacer
    from simulator.scenario.plan import order_message

    host, port = _listener(to)
    if file is not None:
        content, number = _file(file), ""
    else:
        keys = {"hkid": hkid, "name": name, "birth_date": birth_date, "sex": sex}
        order = _order(secrets.randbits(32) if seed is None else seed, modality, accession, keys)
        content, number = order_message(order, message).message, order.accession_number
    terminal.out.print(content.decode("utf-8", "replace").replace("\r", "\n").rstrip(), soft_wrap=True, markup=False)
    accepted = OrderPlacer(host, port, _print).send(content, number)
    raise typer.Exit(0 if accepted else 1)


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
    from simulator.events import OrderAcknowledged, OrderFailed

    if isinstance(event, OrderAcknowledged):
        terminal.out.print(f"acknowledged {event.code} {event.text}".rstrip(), soft_wrap=True, markup=False)
    elif isinstance(event, OrderFailed):
        terminal.out.print(f"no acknowledgement: {event.problem}", soft_wrap=True, markup=False)
