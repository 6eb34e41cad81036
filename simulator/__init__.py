"""Conformance simulator for the Hospital Authority DICOM Image Gateway.

The Python API makes synthetic people, orders and studies; each name is documented where it is defined:

    import simulator

    person = simulator.person("a seed")
    order = simulator.order("a seed", person, modality="CT")
    ct = simulator.SeriesSpec(simulator.sop_class("CT Image"), instances=20)
    for instance in simulator.study("a seed", order, [ct]).instances:
        instance.part10()

`simulator.strategies` has Hypothesis strategies for the same.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.rules.accession import AccessionRules
    from simulator.rules.sop_classes import by_name as sop_class
    from simulator.synthesis.lies import LIES, Lie
    from simulator.synthesis.orders import Order, order
    from simulator.synthesis.people import HongKongPersonProvider, Person, person
    from simulator.synthesis.studies import Instance, SeriesSpec, Study, study

__version__ = "0.1.0"

__all__ = [
    "LIES",
    "AccessionRules",
    "HongKongPersonProvider",
    "Instance",
    "Lie",
    "Order",
    "Person",
    "SeriesSpec",
    "Study",
    "order",
    "person",
    "sop_class",
    "study",
]

_HOMES = {
    "AccessionRules": "rules.accession",
    "sop_class": "rules.sop_classes",
    "LIES": "synthesis.lies",
    "Lie": "synthesis.lies",
    "Order": "synthesis.orders",
    "order": "synthesis.orders",
    "HongKongPersonProvider": "synthesis.people",
    "Person": "synthesis.people",
    "person": "synthesis.people",
    "Instance": "synthesis.studies",
    "SeriesSpec": "synthesis.studies",
    "Study": "synthesis.studies",
    "study": "synthesis.studies",
}


def __getattr__(name: str) -> Any:
    """Import a name of the API when it is first asked for, so that the command line starts without them all."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = importlib.import_module(f"{__name__}.{_HOMES[name]}")
    return getattr(home, "by_name" if name == "sop_class" else name)
