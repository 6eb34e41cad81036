"""The synthetic patients of a session: who is to be registered for which test, and under which accession number."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.synthesis.orders import Order


@dataclass(frozen=True, slots=True)
class SheetEntry:
    """A line of the worksheet: a patient to register at a system, and the order of the study to make.

    test: the id of the test. sop_class: the name of what is to be sent (PS3.6). ordered_by: `tool` or `facility`, or
    `nobody` where the study is to come before its order.
    """

    test: str
    title: str
    system: str
    sop_class: str
    order: Order
    ordered_by: str
