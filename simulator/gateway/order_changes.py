"""What an order message does to the order under its accession number. Pure: from what is held to what is held next.

| ORC-1 (HL7 table 0119) | the number is new | the order is in force              | it is cancelled          |
|------------------------|-------------------|------------------------------------|--------------------------|
| NW new                 | taken             | taken anew; AE for another patient | in force again           |
| XO change              | taken             | taken anew                         | AE: only NW brings it back |
| SC status changed      | taken             | taken anew                         | taken anew, stays cancelled |
| CA, OC, DC cancel      | kept as cancelled | cancelled; AE for another patient  | stays cancelled          |

SC cancels where ORC-5 is CA or DC. ORU^R01 has no order control and counts as NW.
"""

from __future__ import annotations

from dataclasses import replace

from simulator.rules import accession, hkid
from simulator.rules.accession import AccessionRules
from simulator.rules.identity import MajorKeys
from simulator.rules.matching import OrderKeys
from simulator.wire.hl7_acknowledgements import Fault
from simulator.wire.hl7_messages import OrderMessage, accession_location
from simulator.wire.hl7_segments import DUPLICATE_KEY, REQUIRED_FIELD, TABLE_VALUE, UNKNOWN_KEY

NEW, STATUS, CHANGE = "NW", "SC", "XO"
CANCEL = frozenset(("CA", "OC", "DC"))
_CANCELLED_STATUS = frozenset(("CA", "DC"))  # ORC-5, HL7 table 0038


def complaint(message: OrderMessage, rules: AccessionRules, accession_at: str) -> Fault | None:
    """Return why the message can be no order at all, whatever is held."""
    control = message.order_control
    if control not in {NEW, STATUS, CHANGE} | CANCEL:
        text = f"order control {control or '(none)'} (ORC-1) is not NW, SC, XO, CA, OC or DC"
        return Fault(text, "ORC-1", TABLE_VALUE)
    reasons = accession.inspect(message.accession_number, rules)
    if reasons:
        where = accession_location(message.message_type, accession_at)
        text = f"the order's accession number ({where}) cannot be used: {', '.join(reasons)}"
        return Fault(text, where, TABLE_VALUE if message.accession_number else REQUIRED_FIELD)
    if not message.patient_id:
        return Fault("PID-3 is empty: an order without an HKID can match no study", "PID-3", REQUIRED_FIELD)
    return None


def applied(message: OrderMessage, held: OrderKeys | None) -> OrderKeys | Fault:
    """Return the order as it is after the message; `held` is what stands under its accession number."""
    number = accession.canonical(message.accession_number)
    keys = MajorKeys(message.patient_id, message.patient_name, message.patient_birth_date, message.patient_sex)
    if held is None:
        return OrderKeys(number, keys, cancelled=_cancels(message))
    cancels = _cancels(message)
    if not held.cancelled and (cancels or message.order_control == NEW) and not _is_same_patient(held, keys):
        done = "cancels it" if cancels else "is new"
        text = f"accession number {number} is ordered for another patient (PID-3), and this message {done}"
        return Fault(text, "PID-3", UNKNOWN_KEY if cancels else DUPLICATE_KEY)
    if cancels:
        return replace(held, cancelled=True)
    if held.cancelled and message.order_control == CHANGE:
        return Fault(f"order {number} is cancelled; only a new order (NW) brings it back", "ORC-1", UNKNOWN_KEY)
    return OrderKeys(number, keys, cancelled=held.cancelled and message.order_control == STATUS)


def _cancels(message: OrderMessage) -> bool:
    by_status = message.order_control == STATUS and message.order_status in _CANCELLED_STATUS
    return message.order_control in CANCEL or by_status


def _is_same_patient(held: OrderKeys, keys: MajorKeys) -> bool:
    return hkid.canonical(held.keys.hkid) == hkid.canonical(keys.hkid)
