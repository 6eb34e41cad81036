"""`simulate reconcile`: the operator's desk for unmatched studies."""

from __future__ import annotations

import getpass
import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator.cli import terminal
from simulator.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

_UID = re.compile(r"[0-9.]{1,64}")
_DEFAULT_URL = "http://127.0.0.1:8104"
_ROWS = (
    ("Accession", "accession_number", "accession"),
    ("HKID", "hkid", "hkid"),
    ("Name", "name", "name"),
    ("Birth date", "birth_date", "birth-date"),
    ("Sex", "sex", "sex"),
)
_WHY = {
    "asked-for": "as asked for",
    "accession.exact": "same accession number",
    "accession.near": "similar accession number",
    "hkid.same": "same HKID",
    "name.similar": "similar name",
}


def command(
    study: Annotated[
        str | None, typer.Argument(metavar="[STUDY]", help="Study Instance UID. Without it: list unmatched studies.")
    ] = None,
    order: Annotated[
        str | None, typer.Option("--order", metavar="ACCESSION", help="Bind the study to the order under this number.")
    ] = None,
    reject: Annotated[bool, typer.Option("--reject", help="Reject the study: it stays held, nothing is sent.")] = False,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the audit log.")] = "",
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="Who rules, for the audit log. Default: the user here.")
    ] = None,
    url: Annotated[
        str, typer.Option("--url", metavar="U", help=f"The running gateway's HTTP API. Default: {_DEFAULT_URL}")
    ] = _DEFAULT_URL,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="For a machine.")] = False,
) -> None:
    """Compare unmatched studies with orders; bind one to its order, or reject it."""
    from simulator.wire.gateway_api import GatewayApi

    _check(study, order, reject, bool(reason or by))
    api = GatewayApi(url)
    if study is None:
        held = [
            each
            for each in api.status()["studies"]
            if _may_be_ruled_about(each) and "operator.rejected" not in each["reasons"]
        ]
        if as_json:
            terminal.print_json({"studies": held})
        else:
            _show_unmatched(held)
    elif order is None and not reject:
        document = api.candidates(study)
        if as_json:
            terminal.print_json(document)
        else:
            _show_candidates(document)
    else:
        ruling = {"reject": True} if reject else {"order": order}
        api.reconcile(study, ruling | {"by": by or getpass.getuser(), "reason": reason})
        if as_json:
            terminal.print_json({"study_instance_uid": study, "order": order})
        else:
            done = "rejected; it stays held" if reject else f"bound to order {order}; what is sent carries its keys"
            terminal.out.print(f"Study {study} is {done}.", soft_wrap=True, markup=False)


def _check(study: str | None, order: str | None, reject: bool, explained: bool) -> None:
    if order is not None and reject:
        raise UsageError("--order and --reject are two rulings; give one")
    if order is not None and not order.strip():
        raise UsageError("--order needs the accession number of an order", "--reject rejects the study")
    if study is not None and not _UID.fullmatch(study):
        raise UsageError(f"{study!r} is not a Study Instance UID: digits and dots, 64 at most")
    if study is None and (order is not None or reject):
        raise UsageError("which study? give its Study Instance UID", "`simulate reconcile` lists unmatched studies")
    if explained and order is None and not reject:
        raise UsageError("--reason and --by belong to a ruling", "give --order ACCESSION or --reject")


def _may_be_ruled_about(study: dict[str, Any]) -> bool:
    """Tell whether an operator may rule about it: it is unmatched, or was rejected for want of an order."""
    return study["state"] == "unmatched" or (
        study["state"] == "rejected" and "image-count.exceeded" not in study["reasons"]
    )


def _show_unmatched(studies: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    if not studies:
        terminal.out.print("No study is unmatched.")
        return
    table = Table("Accession", "State", "Images", "Why", box=None, pad_edge=False)
    table.add_column("Study Instance UID", overflow="fold")
    for each in studies:
        accession = Text(each["accession_number"] or "(none)")
        why = ", ".join(each["reasons"])
        table.add_row(accession, each["state"], str(each["instances"]), why, Text(each["study_instance_uid"]))
    terminal.print_table(table)


def _show_candidates(document: dict[str, Any]) -> None:
    from rich.text import Text

    uid, state = document["study_instance_uid"], document["state"]
    why = f": {', '.join(document['reasons'])}" if document["reasons"] else ""
    images = f"{document['instances']} image{'' if document['instances'] == 1 else 's'}"
    terminal.out.print(Text(f"Study {uid}, {images}, is {state}{why}"), soft_wrap=True)
    if len(document["keys"]) > 1:
        words = (
            f"Its instances disagree: they carry {len(document['keys'])} sets of keys, each shown against the order."
        )
        terminal.out.print(Text(words, "yellow"), soft_wrap=True)
    if not document["orders"]:
        terminal.out.print("No order is near it: none has a similar accession number, its HKID or a similar name.")
        _show_keys_alone(document)
        return
    for order in document["orders"]:
        terminal.out.print()
        terminal.out.print(_heading(order), soft_wrap=True)
        for keys in document["keys"]:
            terminal.print_table(_comparison(keys, order))
    if _may_be_ruled_about(document):
        terminal.out.print()
        first = document["orders"][0]["accession_number"]
        for words in (f"--order {first}", "--reject"):
            terminal.out.print(Text(f"simulate reconcile {uid} {words}", "dim"), soft_wrap=True)


def _show_keys_alone(document: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table("", *["Study"] * len(document["keys"]), box=None, pad_edge=False)
    for label, field, _ in _ROWS:
        table.add_row(label, *(_value(keys[field]) for keys in document["keys"]))
    terminal.print_table(table)


def _heading(order: dict[str, Any]) -> Text:
    from rich.text import Text

    why = ", ".join(_WHY.get(reason, reason) for reason in order["because"])
    heading = Text.assemble(("Order ", "bold"), (order["accession_number"], "bold"), f" ({why})")
    for flag, words in (("cancelled", "; it is cancelled"), ("taken", "; another study has it")):
        if order[flag]:
            heading.append(words, "red")
    return heading


def _comparison(keys: dict[str, str], order: dict[str, Any]) -> Table:
    """Return the five rows: what the study says, what the order says, and in words whether they agree."""
    from rich.table import Table
    from rich.text import Text

    table = Table("", "Study", "Order", "", box=None, pad_edge=False)
    for column in table.columns:
        column.overflow = "fold"
    table.columns[0].no_wrap = table.columns[3].no_wrap = True
    for label, field, stem in _ROWS:
        fault = _fault(stem, keys, order)
        style = "" if not fault else "bold yellow"
        mark = Text("= same", "green") if not fault else Text(f"! {fault}", style)
        table.add_row(label, _value(keys[field], style), _value(order[field], style), mark)
    return table


def _fault(stem: str, keys: dict[str, str], order: dict[str, Any]) -> str:
    """Return in a word how the key is not the order's, as the gateway judged it; empty when it is."""
    if stem == "accession":
        same = keys["accession_number"].strip() == order["accession_number"]
        return "" if same else "missing" if not keys["accession_number"].strip() else "differs"
    for difference in order["differences"]:
        about, _, fault = difference.partition(".")
        if about == stem:
            return "differs" if fault == "mismatch" else str(fault)
    return ""


def _value(text: str, style: str = "") -> Text:
    from rich.text import Text

    from simulator.report.words import printable

    return Text(printable(text) or "(none)", style if text else "dim")
