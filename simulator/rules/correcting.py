"""May a study's keys be corrected to its order's without a person looking (site policy `unmatched: correct`)?

A wrong correction puts one patient's images under another patient's name, so it is only for slips: everything else
is held for an operator. The accession number must be the order's, to the letter; and of the three keys that
identify a patient (HKID, name, date of birth) at least two must agree with the order, as two identifiers are asked
for wherever patients are told apart. The sex identifies nobody.
"""

from __future__ import annotations

from collections.abc import Collection

from simulator.rules import identity
from simulator.rules.matching import OrderKeys

ACCESSION_MISMATCH = "accession.mismatch"
OPERATOR_REJECTED = "operator.rejected"

_IDENTIFYING = ("hkid", "name", "birth-date")
_MUST_AGREE = 2


def unwritable(order: OrderKeys) -> tuple[str, ...]:
    """Return why the order's keys cannot be written into a study, as `identity.inspect` says it.

    A key that the order lacks is no obstacle: the study's own stays.
    """
    return tuple(reason for reason in identity.inspect(order.keys) if not reason.endswith(".missing"))


def may_be_corrected(reasons: Collection[str], order: OrderKeys | None) -> bool:
    """Tell whether a study that is unmatched for these `reasons` (`matching.decide`) may be corrected to `order`.

    Anything but a missing, invalid or wrong major key forbids it (a malformed or taken number, no order or a
    cancelled one, instances that disagree), and so does an order whose own keys are not all valid.
    """
    if order is None or not reasons or identity.inspect(order.keys):
        return False
    stems = {reason.partition(".")[0] for reason in reasons}
    if not stems <= set(identity.STEMS):
        return False
    return sum(stem not in stems for stem in _IDENTIFYING) >= _MUST_AGREE
