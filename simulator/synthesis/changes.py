"""What an ordering side says of its patient after it said something else: an order with other keys."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from simulator.synthesis.lies import LIES
from simulator.synthesis.orders import Order

CHANGES: Final = {
    "another-hkid": ("PatientID", "hkid"),
    "another-name": ("PatientName", "name"),
    "another-birth-date": ("PatientBirthDate", "birth_date"),
    "another-sex": ("PatientSex", "sex"),
}
"""By name: the keyword that the lie of the same name is about, and the field of a person that changes."""


def changed(seed: str, order: Order, names: Iterable[str]) -> Order:
    """Return `order` with the keys that the lies `names` tell, each always another than the true one.

    A study that is made from the same seed and tells the same lies agrees with it. Raises `KeyError` for a name that is
    not in `CHANGES`.
    """
    told = {CHANGES[name][1]: str(LIES[name].values(seed, order)[CHANGES[name][0]]) for name in names}
    # The characters were those of the true name.
    plain = {"ideographic": "", "simplified": ""} if "name" in told else {}
    return replace(order, person=replace(order.person, **told, **plain))
