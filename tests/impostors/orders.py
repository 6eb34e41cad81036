"""Wrong gateways that do not do what HL7 tells them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from simulator import site as profile
from simulator.gateway import order_changes, orders
from simulator.gateway.rows import StudyRow
from simulator.gateway.server import Gateway
from simulator.rules.matching import OrderKeys
from simulator.site import Site
from simulator.wire import hl7_patients
from simulator.wire.hl7_acknowledgements import Fault
from simulator.wire.hl7_messages import OrderMessage
from simulator.wire.hl7_patients import PatientMessage
from tests.impostors.caught import AtLeast, Begins, Caught


class ForgetsOrders(Gateway):
    """Acknowledges every order with AA and keeps none."""

    def decide(self, study_instance_uid: str) -> None:
        def no_order(accession_number: str) -> None:
            return None

        self.index.order = no_order  # type: ignore[method-assign]
        super().decide(study_instance_uid)


class NeverLooksAgain(Gateway):
    """Decides a study once; an order that comes later heals nothing."""

    def _order_changed(self, accession_number: str) -> None:
        pass


class IgnoresPatientUpdates(Gateway):
    """Acknowledges ADT^A08 with AA and changes nothing."""

    deaf_to = hl7_patients.UPDATE

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        understood = self._orders._patient_change

        def nobody(message: PatientMessage) -> Any:
            deaf = message.message_type == self.deaf_to
            return understood(dataclasses.replace(message, patients=()) if deaf else message)

        self._orders._patient_change = nobody  # type: ignore[method-assign]


class MergesNobody(IgnoresPatientUpdates):
    """Acknowledges ADT^A40 with AA and merges nothing."""

    deaf_to = hl7_patients.MERGE


class ForwardsCancelledOrders(Gateway):
    """Acknowledges a cancel with AA, and matches and forwards what comes for the order all the same."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        found = self.index.order

        def in_force(accession_number: str) -> OrderKeys | None:
            order = found(accession_number)
            return order and dataclasses.replace(order, cancelled=False)

        self.index.order = in_force  # type: ignore[method-assign]


class SaysNothingAfterForwarding(Gateway):
    """Takes a change of an order whose study is forwarded, and warns nobody of it."""

    def _look_again(self, study: StudyRow) -> None:
        if study.state != "forwarded":
            super()._look_again(study)


class CommitsAndSaysNoMore(Gateway):
    """Sends the commit acknowledgement, and never the one of the application."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        answer = self._orders.answer
        self._orders.answer = lambda raw: answer(raw)[:1]  # type: ignore[method-assign]


class KnowsTheOriginalModeAlone(Gateway):
    """Answers every message once, with AA, AE or AR, whatever MSH-15 and MSH-16 ask for."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        answer = self._orders.answer
        self._orders.answer = lambda raw: answer(raw.replace(b"|AL|AL|", b"||||"))  # type: ignore[method-assign]


class ReadsTheUsualPlaceAlone(Gateway):
    """Looks for the accession number where IHE has it, whatever the site says."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(profile.overridden(site, {"hl7": {"accession_location": "by-message-type"}}), data)


class RejectsNoMessage(Gateway):
    """Tries to take a message of any type, version and processing, and so never answers AR for one."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        orders._rejection = lambda header: None


class KeepsTheFirstOrder(Gateway):
    """Acknowledges a change of an order with AA, and keeps what the order said first."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        applied = order_changes.applied

        def unchanged(message: OrderMessage, held: OrderKeys | None) -> OrderKeys | Fault:
            return applied(message, held) if held is None else held

        order_changes.applied = unchanged


class RefusesAnOrderAgain(Gateway):
    """Answers AE to an order that it has already, also where its acknowledgement was lost on the way."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        applied = order_changes.applied

        def once(message: OrderMessage, held: OrderKeys | None) -> OrderKeys | Fault:
            return applied(message, held) if held is None else Fault("the order is held already", "ORC-2")

        order_changes.applied = once


CAUGHT = (
    Caught(
        "forgets-orders",
        ForgetsOrders,
        "matched[OMI^O23]",
        {
            "gateway.studies.study.state": ("forwarded", "unmatched"),
            "gateway.studies.study.states": (
                ["receiving", "matched", "forwarding", "forwarded"],
                ["receiving", "unmatched"],
            ),
            "gateway.studies.study.reasons": ([], ["order.not-found"]),
            "downstream.studies.study.instances": (5, 0),
            "downstream.studies.study.pixel_data": ("identical", "nothing arrived"),
            "downstream.studies.study.transfer_syntax": ("identical", "nothing arrived"),
        },
    ),
    Caught(
        "never-looks-again",
        NeverLooksAgain,
        "late-order[ORM^O01]",
        {
            "gateway.studies.study.state": ("forwarded", "unmatched"),
            "gateway.studies.study.states": (
                ["receiving", "unmatched", "matched", "forwarding", "forwarded"],
                ["receiving", "unmatched"],
            ),
            "gateway.studies.study.reasons": ([], ["order.not-found"]),
            "downstream.studies.study.instances": (2, 0),
        },
    ),
    Caught(
        "ignores-patient-updates",
        IgnoresPatientUpdates,
        "patient-update[while-held]",
        {
            "gateway.studies.study.states": (
                ["receiving", "unmatched", "matched", "forwarding", "forwarded"],
                ["receiving", "unmatched"],
            ),
            "gateway.studies.study.reasons": ([], ["name.mismatch"]),
            "downstream.studies.study.instances": (2, 0),
        },
    ),
    Caught(
        "merges-nobody",
        MergesNobody,
        "patient-merge[while-held]",
        {
            "gateway.studies.study.states": (
                ["receiving", "unmatched", "matched", "forwarding", "forwarded"],
                ["receiving", "unmatched"],
            ),
            "gateway.studies.study.reasons": ([], ["hkid.mismatch"]),
            "downstream.studies.study.instances": (2, 0),
        },
    ),
    Caught(
        "forwards-cancelled-orders",
        ForwardsCancelledOrders,
        "order-cancelled[before-the-study]",
        {
            "gateway.studies.study.states": (
                ["receiving", "unmatched"],
                Begins(("receiving", "matched", "forwarding")),
            ),
            "gateway.studies.study.reasons": (["order.cancelled"], []),
            "downstream.studies.study.instances": (0, AtLeast(1)),
        },
    ),
    Caught(
        "says-nothing-after-forwarding",
        SaysNothingAfterForwarding,
        "patient-update[after-forwarding]",
        {"gateway.studies.study.warnings": (["birth-date.mismatch"], [])},
    ),
    Caught(
        "commits-and-says-no-more",
        CommitsAndSaysNoMore,
        "acknowledgement-modes[AL-AL]",
        {
            "wire.orders.order.acknowledgement": ("AA", None),
            "wire.orders.order.acknowledgements": (["CA", "AA"], ["CA", "missing"]),
        },
    ),
    Caught(
        "knows-the-original-mode-alone",
        KnowsTheOriginalModeAlone,
        "acknowledgement-modes[AL-AL]",
        {"wire.orders.order.acknowledgements": (["CA", "AA"], ["AA", "missing"])},
    ),
    Caught(
        "reads-the-usual-place-alone",
        ReadsTheUsualPlaceAlone,
        "accession-location[ORM^O01-OBR-3]",
        {
            "wire.orders.order.acknowledgement": ("AA", "AE"),
            "gateway.studies.study.state": ("forwarded", "unmatched"),
            "gateway.studies.study.reasons": ([], ["order.not-found"]),
            "downstream.studies.study.instances": (2, 0),
        },
    ),
    Caught(
        "keeps-the-first-order",
        KeepsTheFirstOrder,
        "order-changed[while-held]",
        {
            "gateway.studies.study.states": (
                ["receiving", "unmatched", "matched", "forwarding", "forwarded"],
                ["receiving", "unmatched"],
            ),
            "gateway.studies.study.reasons": ([], ["hkid.mismatch", "sex.mismatch"]),
            "downstream.studies.study.instances": (2, 0),
        },
    ),
    Caught(
        "refuses-an-order-again",
        RefusesAnOrderAgain,
        "order-placer-dies[the-acknowledgement-is-lost]",
        {"wire.orders.order.acknowledgements": (["missing", "AA"], ["missing", "AE"])},
    ),
    Caught(
        "rejects-no-message",
        RejectsNoMessage,
        "rejected-messages[another-processing-id]",
        {"wire.peers.engine.script": ("complete", "step 2: HL7: code is AE, not AR")},
    ),
)
