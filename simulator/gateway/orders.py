"""Takes HL7 messages: what is said of orders and patients is applied and acknowledged, the rest is kept aside.

Acknowledgement codes (HL7 v2, table 0008): AA accepted; AE the message was understood but its content is not
usable (no accession number, an unknown order control); AR it cannot be processed at all (not HL7, a type or
version that is not supported). `acknowledging` says what the enhanced mode makes of them.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simulator.errors import Hl7ParseError
from simulator.events import Event, MessageRefused, OrderReceived, PatientChanged, now
from simulator.gateway import acknowledging, audit, order_changes, patient_changes
from simulator.gateway.acknowledging import Outcome
from simulator.gateway.audit import Act
from simulator.gateway.index import Index
from simulator.gateway.order_book import OrderBook, OrderMessageRow
from simulator.gateway.store import Store
from simulator.rules import accession
from simulator.rules.matching import OrderKeys
from simulator.site import Site
from simulator.wire import hl7_acknowledgements, hl7_messages, hl7_patients, hl7_segments
from simulator.wire.hl7_acknowledgements import Fault
from simulator.wire.hl7_messages import OrderMessage
from simulator.wire.hl7_patients import PatientMessage
from simulator.wire.hl7_segments import (
    READABLE_VERSIONS,
    UNSUPPORTED_PROCESSING_ID,
    UNSUPPORTED_TYPE,
    UNSUPPORTED_VERSION,
    Header,
)

_TYPES = (*hl7_messages.VERSIONS, *hl7_patients.TYPES)
_PRODUCTION_OR_TEST = frozenset("DPT")  # MSH-11, HL7 table 0103

_NOT_SYNTHETIC = Fault("PID-3 is not of a synthetic person; nothing is kept", "PID-3")

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Change:
    """What a message does: the orders as they are after it, and the event that tells of it."""

    orders: Sequence[OrderKeys]
    event: Event
    sender: str
    order_control: str = ""


class Orders:
    """Answers HL7 messages. `changed` is called with the accession number of each order that was written."""

    def __init__(self, site: Site, index: Index, store: Store, changed: Callable[[str], None]) -> None:
        self._site = site
        self._index = index
        self._book = OrderBook(index)
        self._store = store
        self._changed = changed
        self._applying = threading.Lock()  # one message at a time: each is applied to what the one before it left

    def answer(self, raw: bytes) -> tuple[bytes, ...]:
        """Return the acknowledgements of one message; what is refused is kept aside first."""
        try:
            header = hl7_segments.read_header(raw)
        except Hl7ParseError as error:
            return self._refuse(raw, hl7_segments.glance(raw), Outcome.REJECTED, _fault(error))
        if header.message_type.partition("^")[0] == "ACK":
            _LOG.info("acknowledgement %s came, and is not acknowledged again", header.control_id)
            return ()
        if fault := _rejection(header):
            return self._refuse(raw, header, Outcome.REJECTED, fault)
        try:
            with self._applying:
                change = self._understand(raw, header)
                if isinstance(change, _Change):
                    self._apply(change, raw, header)
                    return self._acknowledge(header, Outcome.APPLIED)
        except sqlite3.Error as error:
            _LOG.error("cannot keep message %s: %s", header.control_id, error)
            return self._acknowledge(header, Outcome.LOST, Fault(f"the message cannot be kept: {error}"))
        return self._refuse(raw, header, Outcome.UNUSABLE, change)

    def refuse_garbage(self, raw: bytes) -> None:
        """Keep aside bytes that came to the HL7 port and were no message; nobody waits for an answer."""
        self._refuse(raw, None, Outcome.REJECTED, Fault("the bytes are not an MLLP block"))

    def resume(self) -> None:
        """Match the studies of every order again that was written when the last run ended before that was done."""
        for number in self._book.to_match():
            self._match_again(number)

    def _understand(self, raw: bytes, header: Header) -> _Change | Fault:
        try:
            if header.message_type in hl7_patients.TYPES:
                return self._patient_change(hl7_patients.read_patients(raw))
            return self._order_change(hl7_messages.read_order(raw, self._site.hl7.accession_location))
        except Hl7ParseError as error:
            return _fault(error)

    def _order_change(self, message: OrderMessage) -> _Change | Fault:
        if not self._site.takes_patient(message.patient_id):
            return _NOT_SYNTHETIC
        location = self._site.hl7.accession_location
        if fault := order_changes.complaint(message, self._site.accession_rules(), location):
            return fault
        number = accession.canonical(message.accession_number)
        order = order_changes.applied(message, self._index.order(number))
        if isinstance(order, Fault):
            return order
        event = OrderReceived(
            observer="gateway",
            accession_number=number,
            message_control_id=message.control_id,
            message_type=message.message_type,
            order_control=message.order_control,
        )
        return _Change([order], event, message.sender, message.order_control)

    def _patient_change(self, message: PatientMessage) -> _Change | Fault:
        if fault := patient_changes.complaint(message):
            return fault
        if not all(self._site.takes_patient(patient.patient_id) for patient in message.patients):
            return _NOT_SYNTHETIC
        orders = patient_changes.applied(message, self._book.of_patient)
        if not orders:
            _LOG.warning("message %s, %s, changes no order", message.control_id, message.message_type)
        event = PatientChanged(
            observer="gateway",
            message_control_id=message.control_id,
            message_type=message.message_type,
            orders=tuple(order.accession_number for order in orders),
        )
        return _Change(orders, event, message.sender)

    def _apply(self, change: _Change, raw: bytes, header: Header) -> None:
        """Write the orders, then match their studies again: the acknowledgement says that both are done."""
        kept = OrderMessageRow(raw.decode("latin-1"), header.control_id, header.message_type, change.order_control)
        acts = [self._act(order, change, header) for order in change.orders]
        self._book.put(change.orders, kept, change.event, acts)
        for order in change.orders:
            self._match_again(order.accession_number)

    def _act(self, order: OrderKeys, change: _Change, header: Header) -> Act:
        number = order.accession_number
        before, after = audit.changes(self._index.order(number), order, self._site.logs.mask)
        why = change.order_control or header.message_type
        return Act("order", f"HL7 {change.sender}", accession_number=number, why=why, before=before, after=after)

    def _match_again(self, accession_number: str) -> None:
        self._changed(accession_number)
        self._book.matched(accession_number)

    def _refuse(self, raw: bytes, header: Header | None, outcome: Outcome, fault: Fault) -> tuple[bytes, ...]:
        code = "AR" if outcome is Outcome.REJECTED else "AE"
        keeps = not self._site.only_hkid_prefixes
        kept_as = self._keep_aside(raw, {"code": code, "why": fault.text}) if keeps else ""
        try:
            self._index.add_event(
                MessageRefused(
                    observer="gateway",
                    message_control_id=header.control_id if header else "",
                    code=code,
                    text=fault.text,
                    kept_as=kept_as,
                )
            )
        except sqlite3.Error as error:
            _LOG.error("cannot tell of a refused message: %s", error)
        # In the original mode the answer stays the same; a commit acknowledgement would be a lie.
        outcome = Outcome.LOST if keeps and not kept_as and outcome is Outcome.UNUSABLE else outcome
        return self._acknowledge(header, outcome, fault)

    def _keep_aside(self, raw: bytes, why: dict[str, str]) -> str:
        """Keep a refused message; return its name, empty where the folder does not take it."""
        try:
            return self._store.keep_aside(raw, ".hl7", why)
        except OSError as error:
            _LOG.error("cannot keep a refused message aside: %s", error)
            return ""

    @staticmethod
    def _acknowledge(header: Header | None, outcome: Outcome, fault: Fault | None = None) -> tuple[bytes, ...]:
        moment = now()
        sent_at = moment[:19].translate(str.maketrans("", "", "-:T"))
        control_id = moment[:26].translate(str.maketrans("", "", "-:T."))
        return tuple(
            hl7_acknowledgements.build_acknowledgement(
                header, code, None if code in ("AA", "CA") else fault, f"{code}{control_id}"[:20], sent_at
            )
            for code in acknowledging.codes(header, outcome)
        )


def _rejection(header: Header) -> Fault | None:
    """Return why the message cannot be processed at all."""
    if header.message_type not in _TYPES:
        text = f"message type {header.message_type or '(none)'} is not supported; known: {', '.join(_TYPES)}"
        return Fault(text, "MSH-9", UNSUPPORTED_TYPE)
    if header.version not in READABLE_VERSIONS:
        return Fault(f"HL7 version {header.version or '(none)'} is not supported", "MSH-12", UNSUPPORTED_VERSION)
    if header.processing_id not in _PRODUCTION_OR_TEST:
        text = f"MSH-11 processing id {header.processing_id or '(none)'} is not D, P or T"
        return Fault(text, "MSH-11", UNSUPPORTED_PROCESSING_ID)
    return acknowledging.complaint(header)


def _fault(error: Hl7ParseError) -> Fault:
    return Fault(str(error), error.where, error.condition)
