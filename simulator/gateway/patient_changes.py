"""What an ADT message does to the orders of a patient. Pure: from the orders that are held to those that change.

- An update (A08) is for every order under the identifier, cancelled ones too: each of the keys that PID has is the
  order's from now on. A field that is absent leaves a key as it is, a null (`""`) empties it.
- A merge (A40) moves every order under the prior identifier to the surviving one. Their other keys become those of
  the surviving patient: what PID has, else what an order of that patient has, else they stay. What PID has is for
  the surviving patient's own orders too, or one patient would have two names.
- Neither is remembered for orders that come later: they bring the patient's keys themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from simulator.rules import hkid
from simulator.rules.identity import MajorKeys
from simulator.rules.matching import OrderKeys
from simulator.wire.hl7_acknowledgements import Fault
from simulator.wire.hl7_patients import UPDATE, PatientData, PatientMessage
from simulator.wire.hl7_segments import DUPLICATE_KEY, UNKNOWN_KEY

OrdersOf = Callable[[str], Sequence[OrderKeys]]
"""From a patient identifier, in any spelling, to the orders that are held under it."""


def complaint(message: PatientMessage) -> Fault | None:
    """Return why the message asks for what it cannot bring about."""
    for patient in message.patients:
        differs = hkid.canonical(patient.prior_id) != hkid.canonical(patient.patient_id)
        if message.message_type == UPDATE and patient.prior_id and differs:
            text = "MRG-1 is not PID-3: an update (A08) cannot change the identifier itself; send a merge (ADT^A40)"
            return Fault(text, "MRG-1", UNKNOWN_KEY)
        if message.message_type != UPDATE and not differs:
            return Fault("MRG-1 is the same identifier as PID-3: nothing is to be merged", "MRG-1", DUPLICATE_KEY)
    return None


def applied(message: PatientMessage, orders_of: OrdersOf) -> tuple[OrderKeys, ...]:
    """Return the orders that the message changes, as they are after it."""
    held: dict[str, OrderKeys] = {}
    before: dict[str, OrderKeys] = {}

    def of_patient(patient_id: str) -> list[OrderKeys]:
        for order in orders_of(patient_id):
            before.setdefault(order.accession_number, order)
            held.setdefault(order.accession_number, order)
        wanted = hkid.canonical(patient_id)
        return [order for order in held.values() if hkid.canonical(order.keys.hkid) == wanted]

    for patient in message.patients:
        own = of_patient(patient.patient_id)
        moved = of_patient(patient.prior_id) if message.message_type != UPDATE else []
        for order in [*own, *moved]:
            known = own[-1].keys if own else order.keys
            base = order.keys if order in own else replace(known, hkid=patient.patient_id)
            held[order.accession_number] = replace(order, keys=_said(patient, base))
    return tuple(order for number, order in held.items() if order != before[number])


def _said(patient: PatientData, keys: MajorKeys) -> MajorKeys:
    """Return the keys with everything in them that PID has; the identifier is in the spelling of the order."""
    said = {"name": patient.name, "birth_date": patient.birth_date, "sex": patient.sex}
    return replace(keys, **{key: value for key, value in said.items() if value is not None})
