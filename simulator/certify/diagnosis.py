"""The diagnosis: from everything that was seen in a test to the cards that say what is wrong, and who mends it. Pure.

Each rule looks at the scene for one thing. What one card explains is not said again by another (`instead_of`).
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from simulator.certify import (
    catalogue,
    diagnosis_association,
    diagnosis_commitment,
    diagnosis_connection,
    diagnosis_contexts,
    diagnosis_data,
    diagnosis_ending,
    diagnosis_identity,
    diagnosis_messages,
    diagnosis_orders,
    diagnosis_remainder,
    diagnosis_tls,
)
from simulator.certify.cards import Card, Level
from simulator.certify.catalogue import Diagnosis
from simulator.certify.findings import Finding, Rule
from simulator.certify.scene import Scene
from simulator.certify.seeing import Seen, class_name

# From the wire up: of what weighs the same, the lower layer is said first.
RULES: Final[tuple[Rule, ...]] = (
    *diagnosis_connection.RULES,
    *diagnosis_tls.RULES,
    *diagnosis_association.RULES,
    *diagnosis_contexts.RULES,
    *diagnosis_ending.RULES,
    *diagnosis_messages.RULES,
    *diagnosis_identity.RULES,
    *diagnosis_data.RULES,
    *diagnosis_orders.RULES,
    *diagnosis_commitment.RULES,
    *diagnosis_remainder.RULES,
)
_WEIGHT: Final[Mapping[Level, int]] = {"must": 0, "should": 1, "note": 2}
# What a later attempt makes good: once all was seen that the test expects, it stands in nobody's way.
_MADE_GOOD: Final = frozenset(
    ("TCP", "TLS", "association", "presentation context", "DIMSE status", "HL7", "commitment")
)
# That all was seen does not say that all was sent: its rule looks for another association that brought it.
_LOOKS_ITSELF: Final = frozenset(("association.died",))


def diagnose(scene: Scene) -> tuple[Card, ...]:
    """Return a card for each thing that is wrong, those that weigh most first."""
    known = catalogue.read()
    seen = Seen(scene)
    found = [finding for rule in RULES for finding in rule(seen)]
    explained = {gone for finding in found for gone in known[finding.id].instead_of}
    times = Counter(finding.id for finding in found)
    heaviest = sorted(found, key=lambda finding: _WEIGHT[finding.level or known[finding.id].level])
    first = {finding.id: finding for finding in reversed(heaviest) if finding.id not in explained}
    said = dict.fromkeys(finding.id for finding in found if finding.id in first)
    cards = [_card(scene, first[identifier], known[identifier], times[identifier]) for identifier in said]
    if not scene.met and not any(card.level == "must" for card in cards):
        left = diagnosis_remainder.left(seen)
        cards.append(_card(scene, left, known[left.id], 1))
    return tuple(sorted(cards, key=lambda card: _WEIGHT[card.level]))


def _card(scene: Scene, finding: Finding, diagnosis: Diagnosis, times: int) -> Card:
    values = {**_common(scene), **finding.values}
    texts = {name: getattr(diagnosis, name) for name in catalogue.TEMPLATES}
    if finding.told:  # nobody but the gateway could see it
        texts |= {"got": "{told}.", "because": diagnosis.means}
        values["told"] = finding.told
    written = {name: text.format_map(values) for name, text in texts.items()}
    written["prove"] = diagnosis.prove.format_map(values | {"test": shlex.quote(scene.wanted.test)})
    again = f" The same {_more(times)}." if times > 1 else ""
    return Card(
        id=finding.id,
        level=_level(scene, finding, diagnosis),
        where=diagnosis.where,
        requirement=diagnosis.requirements,
        title=diagnosis.title,
        expected=written["expected"],
        got=written["got"] + again,
        because=written["because"],
        who=written["who"],
        screen=written["screen"],
        prove=written["prove"],
        evidence=finding.evidence,
    )


def _level(scene: Scene, finding: Finding, diagnosis: Diagnosis) -> Level:
    level: Level = finding.level or diagnosis.level
    made_good = scene.met and diagnosis.where in _MADE_GOOD and finding.id not in _LOOKS_ITSELF
    return "should" if level == "must" and made_good else level


def _more(times: int) -> str:
    return "once more" if times == 2 else f"{times - 1} times more"


def _common(scene: Scene) -> dict[str, str]:
    """Return what every text may name."""
    here, wanted, system = scene.declared.gateway, scene.wanted, scene.wanted.system
    tls_port = here.tls.port if here.tls is not None else "of TLS"
    orders = scene.declared.orders.system
    sheet: Iterable[tuple[str, str]] = (
        ("sheet_accession", wanted.accession_number),
        ("sheet_hkid", wanted.hkid),
        ("sheet_name", wanted.name),
        ("sheet_birth_date", wanted.birth_date),
        ("sheet_sex", wanted.sex),
        ("sheet_class", class_name(wanted.sop_class_uid) if wanted.sop_class_uid else "the declared SOP classes"),
    )
    return {
        "system": system.name if system else orders,
        "ae_title": system.ae_title if system else orders,
        "host": system.host if system else "its host",
        "port": str(system.port) if system and system.port else "its port",
        "gateway": here.ae_title,
        "here": here.host,
        "dicom_port": str(here.dicom_port),
        "tls_port": str(tls_port),
        "hl7_port": str(here.hl7_port),
        "orders_system": orders,
        "test": wanted.test,
        **{name: value or "as on the worksheet" for name, value in sheet},
    }
