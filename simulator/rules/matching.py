"""Is a study MATCHED or UNMATCHED, and why (slides "Patient & Image Identification (II)" and "(III)").

A study matches when its accession number is well formed and unique, an order in force stands under that
number, and all four major keys are valid and agree with the order's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.rules import accession, identity, image_count
from simulator.rules.accession import AccessionRules
from simulator.rules.identity import MajorKeys

INCONSISTENT = "study.inconsistent"
DUPLICATE = "accession.duplicate"
ORDER_NOT_FOUND = "order.not-found"
ORDER_CANCELLED = "order.cancelled"
FORWARDED_BEFORE = "forwarded.before"
"""The warning for a study that does not match any more, and of which something was sent on before."""

# Every stable reason id, in the order in which reasons are reported.
REASONS: tuple[str, ...] = (
    INCONSISTENT,
    accession.MISSING,
    "accession.malformed.length",
    "accession.malformed.hospital",
    "accession.malformed.department",
    "accession.malformed.year",
    "accession.malformed.running",
    "accession.malformed.check",
    DUPLICATE,
    ORDER_NOT_FOUND,
    ORDER_CANCELLED,
    "hkid.missing",
    "hkid.invalid",
    "hkid.mismatch",
    "name.missing",
    "name.invalid",
    "name.mismatch",
    "birth-date.missing",
    "birth-date.invalid",
    "birth-date.mismatch",
    "sex.missing",
    "sex.invalid",
    "sex.mismatch",
    image_count.EXCEEDED,
)


@dataclass(frozen=True, slots=True)
class StudyKeys:
    """What the instances of a study say about it, as it stood in their data sets."""

    accession_number: str
    keys: MajorKeys


@dataclass(frozen=True, slots=True)
class OrderKeys:
    """What the order says, and whether it was cancelled (HL7 ORC-1 `CA`)."""

    accession_number: str
    keys: MajorKeys
    cancelled: bool = False


def decide(
    studies: Sequence[StudyKeys],
    order: OrderKeys | None,
    rules: AccessionRules,
    accession_taken: bool = False,
) -> tuple[str, ...]:
    """Return every reason why a study does not match, in the order of `REASONS`; empty means MATCHED.

    `studies` are the distinct keys found over the instances of the study, in any order; when they disagree beyond
    spelling, that is a reason, and those with the fewest other reasons are judged for the rest: which instance came
    first decides nothing. `order` is what was found under the accession number, and `accession_taken` says that
    another study came under it before.

    Keys that are missing or invalid are always reported, so that a facility sees all its mistakes at once. A
    mismatch needs an order, and an order needs a well-formed number to be looked up by; an order under
    another number is not this study's. A cancelled order is still compared: the keys tell which patient it
    was for. Raises `ValueError` when `studies` is empty.
    """
    if not studies:
        raise ValueError("a study has at least one instance, and so at least one set of keys")
    each = [_reasons(study, order, rules, accession_taken) for study in studies]
    fewest = min(each, key=lambda reasons: (len(reasons), [REASONS.index(reason) for reason in reasons]))
    return (INCONSISTENT, *fewest) if _disagree(studies) else fewest


def _reasons(
    study: StudyKeys, order: OrderKeys | None, rules: AccessionRules, accession_taken: bool
) -> tuple[str, ...]:
    """Return every reason why these keys do not match, in the order of `REASONS`."""
    malformed = accession.inspect(study.accession_number, rules)
    found = None if malformed else _under_number(order, study.accession_number)
    reasons = {
        *malformed,
        *(() if malformed else _order_reasons(found, accession_taken)),
        *_key_reasons(study.keys, found),
    }
    return tuple(sorted(reasons, key=REASONS.index))


def _under_number(order: OrderKeys | None, number: str) -> OrderKeys | None:
    """Return `order` when it stands under `number`."""
    if order is None or accession.canonical(order.accession_number) != accession.canonical(number):
        return None
    return order


def _disagree(studies: Sequence[StudyKeys]) -> bool:
    """Tell whether the keys differ beyond spelling."""
    return len({(accession.canonical(study.accession_number), identity.canonical(study.keys)) for study in studies}) > 1


def _order_reasons(order: OrderKeys | None, accession_taken: bool) -> list[str]:
    reasons = [DUPLICATE] if accession_taken else []
    if order is None:
        reasons.append(ORDER_NOT_FOUND)
    elif order.cancelled:
        reasons.append(ORDER_CANCELLED)
    return reasons


def _key_reasons(study: MajorKeys, order: OrderKeys | None) -> list[str]:
    """Return at most one reason a key: a key that is missing or invalid is not compared as well."""
    faults = identity.inspect(study)
    faulty = {_stem(reason) for reason in faults}
    mismatches = identity.compare(study, order.keys) if order else ()
    return [*faults, *(reason for reason in mismatches if _stem(reason) not in faulty)]


def _stem(reason: str) -> str:
    return reason.partition(".")[0]
