"""Every named lie: what a modality can get wrong, one thing at a time, by the name that asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from simulator.synthesis.lie import Lie, conflict, saying
from simulator.synthesis.lies_about_accession import ABOUT_ACCESSION
from simulator.synthesis.lies_about_attributes import ABOUT_ATTRIBUTES
from simulator.synthesis.lies_about_instances import ABOUT_INSTANCES
from simulator.synthesis.lies_about_names import ABOUT_NAMES
from simulator.synthesis.lies_about_people import ABOUT_PEOPLE

__all__ = ["LIES", "Lie", "conflict", "saying"]

_ALL: Final = (*ABOUT_PEOPLE, *ABOUT_NAMES, *ABOUT_ACCESSION, *ABOUT_ATTRIBUTES, *ABOUT_INSTANCES)

LIES: Final[Mapping[str, Lie]] = MappingProxyType({lie.name: lie for lie in _ALL})
"""Every lie by the name that scenario files and `simulate study --malformation` use."""
