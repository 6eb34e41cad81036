"""Which orders may an unmatched study belong to? Suggestions for an operator, the most likely first.

An order is suggested when its accession number is at most three edits away from the study's, when its HKID is the
study's, or when its name is similar.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher

from simulator.rules import accession, hkid, identity
from simulator.rules.matching import OrderKeys, StudyKeys

_FARTHEST = 3
_SIMILAR = 0.8
_MOST = 5


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An order that the study may belong to.

    distance: edits (insert, delete, replace) between the accession numbers. agreeing: stems of the major keys
    that agree (`identity.STEMS`). similarity: of the names, 0 to 1. because: ids of why it is suggested.
    """

    order: OrderKeys
    distance: int
    agreeing: tuple[str, ...]
    similarity: float
    because: tuple[str, ...]


def suggestions(study: StudyKeys, orders: Iterable[OrderKeys], most: int = _MOST) -> tuple[Suggestion, ...]:
    """Return at most `most` orders that may be the study's; cancelled ones last."""
    found = [each for order in orders if (each := _suggestion(study, order)).because]
    found.sort(key=lambda s: (s.order.cancelled, -len(s.agreeing), s.distance, -s.similarity, s.order.accession_number))
    return tuple(found[:most])


def edit_distance(one: str, other: str) -> int:
    """Return how many characters must be inserted, deleted or replaced to make `one` into `other` (Levenshtein)."""
    row = list(range(len(other) + 1))
    for number, letter in enumerate(one, start=1):
        diagonal, row[0] = row[0], number
        for column, against in enumerate(other, start=1):
            diagonal, row[column] = (
                row[column],
                min(row[column] + 1, row[column - 1] + 1, diagonal + (letter != against)),
            )
    return row[-1]


def _suggestion(study: StudyKeys, order: OrderKeys) -> Suggestion:
    number = accession.canonical(study.accession_number)
    ordered = accession.canonical(order.accession_number)
    distance = edit_distance(number.upper()[:64], ordered)
    different = {reason.partition(".")[0] for reason in identity.compare(study.keys, order.keys)}
    names = identity.canonical_name(study.keys.name), identity.canonical_name(order.keys.name)
    similarity = _similarity(*names)
    because = {
        "accession.exact": number == ordered,
        "accession.near": bool(number) and number != ordered and distance <= _FARTHEST,
        "hkid.same": bool(hkid.canonical(study.keys.hkid)) and "hkid" not in different,
        "name.similar": bool(names[0]) and similarity >= _SIMILAR,
    }
    return Suggestion(
        order=order,
        distance=distance,
        agreeing=tuple(stem for stem in identity.STEMS if stem not in different),
        similarity=round(similarity, 2),
        because=tuple(reason for reason, so in because.items() if so),
    )


def _similarity(one: str, other: str) -> float:
    """Return how alike two names are; the order of their parts does not count, which forms often confuse."""
    return max(_ratio(one, other), _ratio(_sorted(one), _sorted(other)))


def _sorted(name: str) -> str:
    return " ".join(sorted(name.replace("^", " ").split()))


def _ratio(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()
