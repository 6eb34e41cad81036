"""Hypothesis strategies for everything synthetic: HKIDs, people, accession numbers, orders, studies and lies.

For the property tests of a facility's own software, and of this one. It needs Hypothesis, which the extra
`strategies` installs: `pip install "ha-dicom-gateway-simulator[strategies]"`. Each strategy shrinks towards small
and plain examples. Every person is of the marked synthetic range (`simulator.synthesis.people`).
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from simulator.rules import hkid
from simulator.rules.accession import LENGTH, AccessionNumber, AccessionRules
from simulator.rules.sop_classes import SEED_IMAGE_CLASSES, SopClass
from simulator.synthesis import orders as ordering
from simulator.synthesis import people
from simulator.synthesis import studies as performing
from simulator.synthesis.classes import image_class
from simulator.synthesis.lies import LIES, Lie
from simulator.synthesis.orders import Order
from simulator.synthesis.people import Person
from simulator.synthesis.studies import SeriesSpec, Study

_ALPHANUMERIC = string.digits + string.ascii_uppercase
_ANY_CODES = AccessionRules()
# Where each part of the accession number begins and ends (slide "Patient & Image Identification (I)").
_PARTS = (("hospital", 0, 3), ("department", 3, 5), ("year", 5, 7), ("running", 7, 15), ("check", 15, 16))
# Space is left out: at either end it is padding, which counts for nothing in SH (PS3.5 6.2).
_SYMBOLS = "".join(sorted(set(string.punctuation) - {"\\"}))
_SMALL = 16


@dataclass(frozen=True, slots=True)
class MalformedAccessionNumber:
    """An accession number that is not well formed. reason: the one stable id that a gateway must give for it."""

    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class ToldLie:
    """One lie, told. order: the truth. study: of two instances or more, each as the lie has it.

    expected_statuses: of C-STORE, instance by instance. expected_reasons and expected_warnings: of the study, with
    `order` in force, at a site whose check digit is `order.check_digit`; nothing is known of a study none of
    whose instances was stored.
    """

    lie: Lie
    order: Order
    study: Study

    @property
    def expected_statuses(self) -> tuple[str, ...]:
        """C-STORE statuses as four hexadecimal digits."""
        places = range(len(self.study.instances))
        return tuple(self.lie.status if self.lie.tells(place) else "0000" for place in places)

    @property
    def expected_reasons(self) -> tuple[str, ...]:
        """Reason ids of the study; none means MATCHED."""
        return self.lie.reasons

    @property
    def expected_warnings(self) -> tuple[str, ...]:
        """Warning ids of the study."""
        return self.lie.warnings


def hkids() -> SearchStrategy[str]:
    """Give valid canonical HKIDs of the synthetic prefixes: `Q1234563`."""
    bodies = st.builds(
        str.__add__, st.sampled_from(people.SYNTHETIC_PREFIXES), st.text(string.digits, min_size=6, max_size=6)
    )
    return bodies.map(lambda body: body + hkid.check_character(body))


def identities() -> SearchStrategy[Person]:
    """Give people with the four major keys, and a name in Chinese that belongs to the romanised one."""
    return st.builds(
        lambda seed, number: replace(people.person(str(seed)), hkid=number), st.integers(0, 2**32), hkids()
    )


def accession_numbers(rules: AccessionRules = _ANY_CODES) -> SearchStrategy[str]:
    """Give well-formed accession numbers of a site: its check digit, and its codes where it lists them."""
    return st.builds(
        AccessionNumber.compose,
        _codes(rules.hospital_codes, 3),
        _codes(rules.department_codes, 2),
        st.integers(0, 99),
        st.integers(0, 10**8 - 1),
        st.just(rules.check_digit),
        st.sampled_from(_ALPHANUMERIC),
    ).map(str)


def malformed_accession_numbers() -> SearchStrategy[MalformedAccessionNumber]:
    """Give accession numbers that are wrong in one way, with the reason that a gateway must give for it."""
    return st.one_of(_missing(), _too_short(), _too_long(), *(_wrong(*part) for part in _PARTS))


@st.composite
def orders(
    draw: st.DrawFn, rules: AccessionRules = _ANY_CODES, modalities: Sequence[str] = tuple(ordering.PROCEDURES)
) -> Order:
    """Give orders for synthetic people, for any of `modalities`, with the accession numbers of a site's `rules`."""
    seed = str(draw(st.integers(0, 2**32)))
    return ordering.order(seed, draw(identities()), modality=draw(st.sampled_from(list(modalities))), rules=rules)


@st.composite
def studies(draw: st.DrawFn, sop_classes: Sequence[SopClass] = SEED_IMAGE_CLASSES) -> Study:
    """Give studies of one to four small instances of one of `sop_classes`, each for an order of its own."""
    sop_class = draw(st.sampled_from(list(sop_classes)))
    order = draw(orders(modalities=[image_class(sop_class).modality]))
    return _performed(draw, order, sop_class, (), 1)


@st.composite
def single_lies(
    draw: st.DrawFn, lies: Sequence[Lie] = tuple(LIES.values()), sop_classes: Sequence[SopClass] = SEED_IMAGE_CLASSES
) -> ToldLie:
    """Give one of `lies`, told by a study of two to four small instances for an order that agrees with the truth."""
    lie = draw(st.sampled_from(list(lies)))
    sop_class = draw(st.sampled_from(list(sop_classes)))
    rules = AccessionRules(check_digit=lie.needs_check_digit)
    order = draw(orders(rules, [image_class(sop_class).modality]))
    return ToldLie(lie, order, _performed(draw, order, sop_class, (lie,), 2))


def _performed(draw: st.DrawFn, order: Order, sop_class: SopClass, lies: Sequence[Lie], least: int) -> Study:
    seed = str(draw(st.integers(0, 2**32)))
    spec = SeriesSpec(sop_class, draw(st.integers(least, 4)), _SMALL, _SMALL)
    return performing.study(seed, order, [spec], lies)


def _codes(listed: frozenset[str], size: int) -> SearchStrategy[str]:
    return st.sampled_from(sorted(listed)) if listed else st.text(_ALPHANUMERIC, min_size=size, max_size=size)


def _missing() -> SearchStrategy[MalformedAccessionNumber]:
    return st.text(" ", max_size=LENGTH).map(lambda text: MalformedAccessionNumber(text, "accession.missing"))


def _too_short() -> SearchStrategy[MalformedAccessionNumber]:
    return st.builds(
        lambda number, size: _of_wrong_length(number[:size]), accession_numbers(), st.integers(1, LENGTH - 1)
    )


def _too_long() -> SearchStrategy[MalformedAccessionNumber]:
    more = st.text(_ALPHANUMERIC, min_size=1, max_size=4)
    return st.builds(lambda number, rest: _of_wrong_length(number + rest), accession_numbers(), more)


def _of_wrong_length(text: str) -> MalformedAccessionNumber:
    return MalformedAccessionNumber(text, "accession.malformed.length")


@st.composite
def _wrong(draw: st.DrawFn, part: str, begin: int, end: int) -> MalformedAccessionNumber:
    """Give a number with one character of one part replaced by what may not stand there."""
    number, place = draw(accession_numbers()), draw(st.integers(begin, end - 1))
    letters = string.ascii_letters if part in ("year", "running") else string.ascii_lowercase
    wrong = draw(st.sampled_from(letters + _SYMBOLS))
    return MalformedAccessionNumber(number[:place] + wrong + number[place + 1 :], f"accession.malformed.{part}")
