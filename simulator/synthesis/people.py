"""Synthetic Hong Kong people with the four major keys: HKID, name in English, date of birth, sex."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, TypeVar

from faker.generator import Generator
from faker.providers import BaseProvider

from simulator.rules import hkid

_T = TypeVar("_T")

SYNTHETIC_PREFIXES: Final = ("Q", "QX")
"""The HKID prefixes of synthetic people. That they mark a number as made up is this simulator's own rule."""

NAME_LIMIT: Final = 40
"""Characters of the name on an identity card, surname and given name together with the space between them."""

# fmt: off
SURNAMES: Final = (
    "AU YEUNG", "CHAN", "CHENG", "CHEUNG", "CHOI", "CHOW", "CHU", "CHUI", "FONG", "FUNG", "HO", "HUI", "IP", "KWAN",
    "KWOK", "LAI", "LAM", "LAU", "LEE", "LEUNG", "LI", "LO", "LUI", "MA", "MAK", "MOK", "NG", "PANG", "POON", "SHEK",
    "SIT", "SIU", "SO", "SZETO", "TAM", "TANG", "TSANG", "TSE", "TSUI", "WAN", "WONG", "WU", "YAU", "YEUNG", "YIP",
    "YIU", "YU", "YUEN",
)
SYLLABLES: Final = (
    "CHEUNG", "CHI", "CHING", "CHUN", "FAI", "FONG", "FUNG", "HEI", "HING", "HO", "HOI", "KA", "KAM", "KI", "KIN",
    "KIT", "KWAN", "KWOK", "LAI", "LING", "LOK", "MAN", "MEI", "MING", "MUI", "NGA", "ON", "PIK", "PO", "PUI", "SHAN",
    "SHING", "SIU", "SUET", "SUM", "SZE", "TAI", "TAK", "TSZ", "WAI", "WING", "YAN", "YEE", "YIN", "YING", "YUEN",
    "YUK",
)
ENGLISH_NAMES: Final = {
    "F": ("ALICE", "AMY", "CHRISTINE", "EMILY", "GRACE", "JOYCE", "KAREN", "MAY", "STEPHANIE", "WINNIE"),
    "M": ("ALAN", "ANDREW", "CHRISTOPHER", "DAVID", "ERIC", "JASON", "KELVIN", "PETER", "RAYMOND", "TONY"),
}
# fmt: on
_OLDEST: Final = date(1930, 1, 1)
_BIRTH_DAYS: Final = (date(2015, 12, 31) - _OLDEST).days


@dataclass(frozen=True, slots=True)
class Person:
    """One synthetic person.

    hkid: canonical, without parentheses (`Q1234563`). name: DICOM PN, alphabetic group only
    (`CHAN^TAI MAN`; PS3.5 6.2). birth_date: `YYYYMMDD`. sex: `M` or `F`.
    """

    hkid: str
    name: str
    birth_date: str
    sex: str


class HongKongPersonProvider(BaseProvider):
    """Faker provider for Hong Kong people; Faker itself has no Hong Kong locale.

    Every HKID begins with `Q` or `QX`. Those prefixes are the simulator's marking of synthetic people: its own
    convention, not one of the Immigration Department. The rest, check character included, follows the card.

    All draws go through `Random.random()`, whose sequence for a seed is the same in every Python version.
    """

    def hk_person(self) -> Person:
        """Return a person whose keys fit together with the space between them."""
        sex = self._one_of("FM")
        return Person(hkid=self.hkid(), name=self.hk_name(sex), birth_date=self._birth_date(), sex=sex)

    def hkid(self) -> str:
        """Return a canonical HKID of the synthetic prefixes, with its right check character."""
        body = f"{self._one_of(SYNTHETIC_PREFIXES)}{self._below(1_000_000):06d}"
        return f"{body}{hkid.check_character(body)}"

    def hk_name(self, sex: str | None = None) -> str:
        """Return a romanised name as PN, of `NAME_LIMIT` characters at most; one in twenty has no given name.

        sex: `M`, `F`, or None for either; it decides the English given names that half of them have.
        """
        surname = self._one_of(SURNAMES)
        given = [self._one_of(SYLLABLES) for _ in range(1 + (self._below(5) > 0))]
        english = ENGLISH_NAMES[sex or self._one_of("FM")]
        given += [self._one_of(english) for _ in range((0, 0, 1, 2)[self._below(4)])]
        if self._below(20) == 0:
            return surname
        return f"{surname}^{_fitting(dict.fromkeys(given), NAME_LIMIT - len(surname) - 1)}"

    def _birth_date(self) -> str:
        return (_OLDEST + timedelta(days=self._below(_BIRTH_DAYS))).strftime("%Y%m%d")

    def _below(self, limit: int) -> int:
        return int(self.generator.random.random() * limit)

    def _one_of(self, options: Sequence[_T]) -> _T:
        return options[self._below(len(options))]


def person(seed: str) -> Person:
    """Return the person that belongs to `seed`: the same one on every machine and Python version."""
    # A bare Generator instead of Faker(): no locale is looked up, and none of its providers is loaded.
    generator = Generator()
    generator.seed_instance(seed)
    return HongKongPersonProvider(generator).hk_person()


def _fitting(words: Iterable[str], limit: int) -> str:
    kept = list(words)
    while len(" ".join(kept)) > limit:
        kept.pop()
    return " ".join(kept)
