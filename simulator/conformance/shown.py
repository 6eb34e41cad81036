"""What several sections show in the same way: statuses, and lists of transfer syntaxes."""

from __future__ import annotations

from pydicom.uid import UID

from simulator.conformance.document import Code, Inline, Table
from simulator.gateway.statuses import StatusMeaning
from simulator.wire.association import Context

CONTEXT_COLUMNS = ("Abstract syntax", "UID", "Transfer syntaxes", "Role", "Extended negotiation")
STATUS_COLUMNS = ("Service status", "Further meaning", "Status", "When the gateway answers it")


def status(meaning: StatusMeaning) -> tuple[Inline, ...]:
    """Return the row of a status, under `STATUS_COLUMNS`."""
    return meaning.kind, meaning.meaning, Code(meaning.text), meaning.when


def transfer_syntaxes(title: str, context: Context) -> Table:
    """Return the transfer syntaxes of a context, in the order of preference."""
    uids = enumerate(context.transfer_syntax_uids, 1)
    rows = tuple((str(place), str(UID(uid).name), Code(uid)) for place, uid in uids)
    return Table(title, ("Preference", "Transfer syntax", "UID"), rows)
