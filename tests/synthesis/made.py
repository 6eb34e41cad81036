"""Shorthand for the tests of this room: orders and studies from a seed text, and how to read them back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread

from simulator.rules.accession import AccessionRules
from simulator.rules.sop_classes import SEED_IMAGE_CLASSES, SopClass, by_name
from simulator.synthesis import compression, orders, people, studies
from simulator.synthesis.character_sets import DEFAULT_REPERTOIRE, CharacterSet
from simulator.synthesis.lies import Lie, saying

CT = by_name("CT Image")
IMPLICIT, EXPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"

# The same examples in every run, and no failure by a slow machine.
steady: Callable[[Any], Any] = settings(derandomize=True, deadline=None, database=None, max_examples=60)

seeds = st.text(max_size=12)
keywords = [sop_class.keyword for sop_class in SEED_IMAGE_CLASSES]


def an_order(seed: str = "tests", modality: str = "CT", check_digit: str = "opaque") -> orders.Order:
    rules = AccessionRules(check_digit=check_digit)
    return orders.order(seed, people.person(seed), modality=modality, rules=rules)


def a_study(
    seed: str = "tests",
    sop_class: SopClass = CT,
    instances: int = 1,
    size: int = 16,
    transfer_syntax: str = EXPLICIT,
    lies: Sequence[Lie] | Mapping[str, str] = (),
    character_set: CharacterSet = DEFAULT_REPERTOIRE,
) -> studies.Study:
    """Return a study; `lies` are lies, or raw values by keyword."""
    syntax = compression.by_name(transfer_syntax)
    spec = studies.SeriesSpec(sop_class, instances, size, size, syntax)
    told = [saying(*pair) for pair in lies.items()] if isinstance(lies, Mapping) else lies
    return studies.study(seed, an_order(seed), [spec], told, character_set)


def read(instance: studies.Instance) -> Dataset:
    return dcmread(BytesIO(instance.part10()))


def raw(instance: studies.Instance, keyword: str) -> bytes:
    """Return the bytes of a value as they stand in the data set, before anyone mends them."""
    value = read(instance).get_item(keyword).value
    return bytes(value) if value else b""
