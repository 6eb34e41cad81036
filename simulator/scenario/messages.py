"""The HL7 messages of a story, as bytes that are ready to send: orders, their changes, and what is said of patients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from simulator.synthesis.orders import Order
from simulator.synthesis.people import Person
from simulator.wire import hl7_messages, hl7_patients, key_digests
from simulator.wire.hl7_messages import BY_MESSAGE_TYPE, Envelope, OrderMessage
from simulator.wire.hl7_patients import PatientData, PatientMessage

ORDER_PLACER = "ORDERS|FACILITY"


@dataclass(frozen=True, slots=True)
class PlannedMessage:
    """One HL7 message, ready to send; `accession_number` is the order's that it is about.

    `key_digests`: of an order's number and major keys, as `wire.key_digests` makes them.
    """

    accession_number: str
    control_id: str
    message: bytes
    key_digests: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asking:
    """What a message asks of its receiver, and how the site writes it.

    `accept` and `application` are MSH-15 and MSH-16, both empty in the original acknowledgement mode. `number`: which
    message about its order it is, from 0; each has a control id of its own.
    """

    number: int = 0
    accept: str = ""
    application: str = ""
    accession_at: str = BY_MESSAGE_TYPE

    def control_id(self, order: Order) -> str:
        """Return MSH-10."""
        return f"M{order.placer_order_number}" + (f"-{self.number}" if self.number else "")

    def envelope(self, order: Order) -> Envelope:
        """Return what MSH says beside the type."""
        return Envelope(order.ordered_at, self.accept, self.application)


_PLAIN = Asking()


def order_message(order: Order, message_type: str, control: str = "NW", asking: Asking = _PLAIN) -> PlannedMessage:
    """Return the message that carries a synthetic order; `control` is ORC-1.

    A report (ORU^R01) has no order control, so that what changes or cancels its order is an ORM^O01.
    """
    message_type = "ORM^O01" if message_type == "ORU^R01" and control != "NW" else message_type
    message = OrderMessage(
        message_type=message_type,
        version=hl7_messages.VERSIONS[message_type],
        control_id=asking.control_id(order),
        sender=ORDER_PLACER,
        order_control=control,
        accession_number=order.accession_number,
        placer_order_number=order.placer_order_number,
        filler_order_number=order.filler_order_number,
        requested_procedure_id=order.requested_procedure_id,
        study_instance_uid=order.study_instance_uid,
        modality=order.modality,
        patient_id=order.person.hkid,
        patient_name=order.person.name,
        patient_birth_date=order.person.birth_date,
        patient_sex=order.person.sex,
    )
    content = hl7_messages.build_order(message, asking.envelope(order), asking.accession_at)
    keys = {
        "accession": order.accession_number,
        "hkid": order.person.hkid,
        "name": order.person.name,
        "birth-date": order.person.birth_date,
        "sex": order.person.sex,
    }
    return PlannedMessage(order.accession_number, message.control_id, content, key_digests.of_texts(keys))


def patient_data(person: Person, prior_id: str = "") -> PatientData:
    """Return what PID says of a person, and MRG of the identifier that the person had before."""
    return PatientData(person.hkid, person.name, person.birth_date, person.sex, prior_id)


def patient_message(
    order: Order, message_type: str, patient: PatientData, version: str = "2.3.1", asking: Asking = _PLAIN
) -> PlannedMessage:
    """Return an ADT^A08 or ADT^A40 about the patient of an order."""
    message = PatientMessage(message_type, version, asking.control_id(order), ORDER_PLACER, (patient,))
    content = hl7_patients.build_patients(message, asking.envelope(order))
    return PlannedMessage(order.accession_number, message.control_id, content)
