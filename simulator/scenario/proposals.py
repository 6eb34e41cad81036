"""Presentation contexts that a story has a modality propose: any SOP class, in any transfer syntax."""

from __future__ import annotations

import itertools
import re

from pydicom._uid_dict import UID_dictionary
from pydicom.uid import RE_VALID_UID

from simulator.rules import sop_classes
from simulator.scenario.model_steps import AssociateSpec
from simulator.wire.association import Context

KEYWORDS: dict[str, str] = {entry[4]: uid for uid, entry in UID_dictionary.items() if entry[4]}
"""UIDs by their keywords in PS3.6 Table A-1."""


def uid(text: str) -> str:
    """Return the UID of a SOP class or transfer syntax: of the slide by any name, of PS3.6 by keyword, or any UID.

    Raises `KeyError` for what is neither.
    """
    try:
        return sop_classes.by_name(text).uid
    except KeyError:
        return text if re.fullmatch(RE_VALID_UID, text) else KEYWORDS[text]


def contexts(asked: AssociateSpec) -> tuple[Context, ...]:
    """Return what an association proposes: none where the story leaves that to the modality."""
    proposed = [Context(uid(each.sop_class), tuple(map(uid, each.transfer_syntaxes))) for each in asked.propose]
    return tuple(itertools.islice(itertools.cycle(proposed), asked.contexts or len(proposed)))


def verification_in(asked: AssociateSpec) -> bool:
    """Tell whether the association is one on which Verification can be asked for."""
    return not asked.propose or any(uid(each.sop_class) == sop_classes.VERIFICATION.uid for each in asked.propose)
