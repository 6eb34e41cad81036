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
_LONGEST_NAME = 64  # of a component group (PS3.5 6.2)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An order that the study may belong to.

    distance: edits (insert, delete, replace) between the accession numbers, 4 when there are more. agreeing: stems of
    the major keys that agree (`identity.STEMS`). similarity: of the names, 0.8 to 1, or 0 when it is less. because:
    ids of why it is suggested.
    """

    order: OrderKeys
    distance: int
    agreeing: tuple[str, ...]
    similarity: float
    because: tuple[str, ...]


def suggestions(study: StudyKeys, orders: Iterable[OrderKeys], most: int = _MOST) -> tuple[Suggestion, ...]:
    """Return at most `most` orders that may be the study's; cancelled ones last."""
    names = _Names(identity.canonical_name(study.keys.name))
    found = [each for order in orders if (each := _suggestion(study, order, names)).because]
    found.sort(key=lambda s: (s.order.cancelled, -len(s.agreeing), s.distance, -s.similarity, s.order.accession_number))
    return tuple(found[:most])


def edit_distance(one: str, other: str, most: int) -> int:
    """Return how many characters must be inserted, deleted or replaced to make `one` into `other` (Levenshtein).

    `most` + 1 when they are more than `most`.
    """
    if abs(len(one) - len(other)) > most:
        return most + 1
    row = list(range(len(other) + 1))
    for number, letter in enumerate(one, start=1):
        diagonal, row[0] = row[0], number
        for column, against in enumerate(other, start=1):
            diagonal, row[column] = (
                row[column],
                min(row[column] + 1, row[column - 1] + 1, diagonal + (letter != against)),
            )
        if min(row) > most:  # it never shrinks from one row to the next
            return most + 1
    return min(row[-1], most + 1)


def _suggestion(study: StudyKeys, order: OrderKeys, names: _Names) -> Suggestion:
    number = accession.canonical(study.accession_number)
    ordered = accession.canonical(order.accession_number)
    distance = edit_distance(number.upper(), ordered, _FARTHEST)
    different = {reason.partition(".")[0] for reason in identity.compare(study.keys, order.keys)}
    similarity = names.similarity(identity.canonical_name(order.keys.name))
    because = {
        "accession.exact": number == ordered,
        "accession.near": bool(number) and number != ordered and distance <= _FARTHEST,
        "hkid.same": bool(hkid.canonical(study.keys.hkid)) and "hkid" not in different,
        "name.similar": similarity >= _SIMILAR,
    }
    return Suggestion(
        order=order,
        distance=distance,
        agreeing=tuple(stem for stem in identity.STEMS if stem not in different),
        similarity=round(similarity, 2),
        because=tuple(reason for reason, so in because.items() if so),
    )


class _Names:
    """Compares one name with many; the order of the parts of a name does not count, which forms often confuse."""

    def __init__(self, name: str) -> None:
        self._straight = SequenceMatcher(None, "", name[:_LONGEST_NAME], autojunk=False)
        self._sorted = SequenceMatcher(None, "", _sorted(name[:_LONGEST_NAME]), autojunk=False)
        self._is_empty = not name

    def similarity(self, other: str) -> float:
        """Return how alike they are, `_SIMILAR` to 1, or 0 when it is less."""
        if self._is_empty:
            return 0.0
        straight = _ratio(self._straight, other[:_LONGEST_NAME])
        return max(straight, _ratio(self._sorted, _sorted(other[:_LONGEST_NAME])))


def _sorted(name: str) -> str:
    return " ".join(sorted(name.replace("^", " ").split()))


def _ratio(matcher: SequenceMatcher[str], other: str) -> float:
    matcher.set_seq1(other)
    # The first two are upper bounds, and quick.
    if matcher.real_quick_ratio() < _SIMILAR or matcher.quick_ratio() < _SIMILAR:
        return 0.0
    ratio = matcher.ratio()
    return ratio if ratio >= _SIMILAR else 0.0
