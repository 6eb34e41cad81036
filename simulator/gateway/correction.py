"""What is forwarded of a study whose keys are not its order's: copies that say what the order says.

`verdict` decides, and never by more than the site or an operator allows; `as_sent` makes the copy. The instance in
the store is never touched. What the order and the study agree upon stands as it came, in the study's own spelling.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from simulator.events import now
from simulator.gateway import header
from simulator.gateway.acts import Correction
from simulator.gateway.steps import Inspected, Unmatched, Verdict
from simulator.rules import accession, correcting, hkid, identity, matching
from simulator.rules.correcting import ACCESSION_MISMATCH, OPERATOR_REJECTED
from simulator.rules.matching import OrderKeys, StudyKeys
from simulator.site import Site
from simulator.wire import data_set, rewriting
from simulator.wire.association import Outgoing
from simulator.wire.rewriting import Attribute, Modification

# PS3.3 C.12.1, (0400,0565): COERCE reconciles with a master, CORRECT replaces what an operator found wrong.
BY_POLICY, BY_OPERATOR = "COERCE", "CORRECT"


def verdict(outcome: Unmatched, site: Site, warnings: tuple[str, ...]) -> Verdict:
    """Return what becomes of an unmatched study: an operator's ruling comes before the site's policy."""
    study = outcome.study
    if study.ruling is not None:
        return _ruled(study, site, warnings)
    if site.unmatched == "correct" and correcting.may_be_corrected(outcome.reasons, study.order):
        assert study.order is not None
        return _corrected(study.order, BY_POLICY, (*warnings, *outcome.reasons))
    return Verdict("rejected" if site.unmatched == "reject" else "unmatched", outcome.reasons, warnings, "")


def under(order: OrderKeys, study: Inspected, site: Site) -> tuple[str, ...]:
    """Return why the study does not match this order, as though it had come under the order's number."""
    keys = [replace(each, accession_number=order.accession_number) for each in study.keys]
    return matching.decide(keys, order, site.accession_rules(), study.accession_taken)


def _ruled(study: Inspected, site: Site, warnings: tuple[str, ...]) -> Verdict:
    assert study.ruling is not None
    if not study.ruling.order_accession:
        return Verdict("rejected", (OPERATOR_REJECTED,), warnings, "")
    if study.order is None:
        return Verdict("unmatched", (matching.ORDER_NOT_FOUND,), warnings, "")
    reasons = under(study.order, study, site)
    if study.order.cancelled or study.accession_taken or correcting.unwritable(study.order):
        return Verdict("unmatched", reasons, warnings, "")
    number = accession.canonical(study.order.accession_number)
    elsewhere = any(accession.canonical(each.accession_number) != number for each in study.keys)
    told = (*warnings, *((ACCESSION_MISMATCH,) if elsewhere else ()), *reasons)
    return _corrected(study.order, BY_OPERATOR, told)


def _corrected(order: OrderKeys, reason: str, warnings: tuple[str, ...]) -> Verdict:
    return Verdict("matched", (), warnings, order.accession_number, Correction(order, reason, now()))


@dataclass(frozen=True, slots=True)
class Copy:
    """Makes the copy of an instance that is forwarded. modifying_system: the gateway's AE title."""

    correction: Correction | None
    modifying_system: str

    def as_sent(self, instance: Outgoing, source: str) -> Outgoing:
        """Return the instance with what it lacks of its order's keys; itself, byte for byte, where it lacks nothing.

        source: the AE title that it came from. Raises `NotDicom` when it cannot be rewritten.
        """
        if self.correction is None:
            return instance
        said = header.read(instance.data_set, instance.transfer_syntax_uid).keys
        attributes = _attributes(instance, said, self.correction.order)
        if not attributes:
            return instance
        when = self.correction.at[:19].translate(str.maketrans("", "", "-:T"))
        modification = Modification(f"{when}+0000", self.modifying_system, source, self.correction.reason)
        rewritten = rewriting.modified(instance.data_set, instance.transfer_syntax_uid, attributes, modification)
        return replace(instance, data_set=rewritten)


def _attributes(instance: Outgoing, said: StudyKeys, order: OrderKeys) -> list[Attribute]:
    """Return what must be written: each key that disagrees and that the order has."""
    wrong = {reason.partition(".")[0] for reason in identity.compare(said.keys, order.keys)}
    number = accession.canonical(order.accession_number)
    values = {
        (data_set.PATIENT_ID, b"LO"): hkid.canonical(order.keys.hkid) if "hkid" in wrong else "",
        (data_set.PATIENT_BIRTH_DATE, b"DA"): (
            identity.canonical_birth_date(order.keys.birth_date) if "birth-date" in wrong else ""
        ),
        (data_set.PATIENT_SEX, b"CS"): identity.canonical_sex(order.keys.sex) if "sex" in wrong else "",
        (data_set.ACCESSION_NUMBER, b"SH"): number if accession.canonical(said.accession_number) != number else "",
    }
    found = [Attribute(tag, vr, text.encode("ascii")) for (tag, vr), text in values.items() if text]
    if "name" in wrong and order.keys.name:
        found.append(Attribute(data_set.PATIENT_NAME, b"PN", _name(instance, order.keys.name)))
    return found


def _name(instance: Outgoing, name: str) -> bytes:
    tags = {data_set.SPECIFIC_CHARACTER_SET}
    character_set = data_set.read(instance.data_set, instance.transfer_syntax_uid, tags)
    encoded = rewriting.encoded_name(name, character_set.get(data_set.SPECIFIC_CHARACTER_SET, b""))
    # `reconciliation` and `correcting` let no order through whose name in English is not ASCII.
    assert encoded is not None
    return encoded
