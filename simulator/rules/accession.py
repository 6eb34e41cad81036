"""The accession number of the slide "Patient & Image Identification (I)".

Sixteen characters, "unique for each study (same as the one in HL7)":

    {hospital 3}{department 2}{year 2}{running number 8}{check digit 1}    e.g. XXX XR 07 00000101 H

Sixteen is also the most that the SH value representation holds (PS3.5 6.2), so DICOM forbids any longer
spelling. How the check digit is computed is not published: the default takes any character of 0-9 A-Z, and
a computed strategy is for synthetic data and for sites that know theirs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

from stdnum.iso7064 import mod_37_36

from simulator.rules import hkid

LENGTH = 16

MISSING = "accession.missing"
MALFORMED = "accession.malformed"

# In character classes [0-9] and [A-Z] are ASCII; \d and str.isdigit would let other scripts' digits pass.
_PARTS = MappingProxyType(
    {
        "hospital": re.compile(r"[A-Z0-9]{3}"),
        "department": re.compile(r"[A-Z0-9]{2}"),
        "year": re.compile(r"[0-9]{2}"),
        "running": re.compile(r"[0-9]{8}"),
        "check": re.compile(r"[0-9A-Z]"),
    }
)
_BEFORE_CHECK = re.compile(r"[0-9A-Z]{15}")


def _computed(strategy: Callable[[str], str]) -> Callable[[str], str]:
    """Guard `strategy`: it is defined over the first fifteen characters and nothing else."""

    def check_character(first_fifteen: str) -> str:
        if not _BEFORE_CHECK.fullmatch(first_fifteen):
            raise ValueError(f"a check digit is computed over 15 characters of 0-9 A-Z: {first_fifteen!r}")
        return str(strategy(first_fifteen))

    return check_character


# Each strategy returns the check character of the first fifteen; None means that it is not computed.
#
# `iso7064-mod37-36`  ISO 7064 MOD 37,36: the hybrid system over 0-9 A-Z, whose check is in 0-9 A-Z too.
# `hkid-style`        The HKID's weighted sum mod 11 over all fifteen characters: 0-9 count as themselves,
#                     A=10 to Z=35; weights 16 down to 2; with r the sum mod 11 the check is 0 if r=0, A if
#                     r=1, else 11-r. The first digit of the year weighs 11, so it is not protected.
#
# ISO 7064 MOD 37-2 is left out on purpose: its check character can be `*`, which no accession number holds.
CHECK_DIGITS: Mapping[str, Callable[[str], str] | None] = MappingProxyType(
    {
        "opaque": None,
        "iso7064-mod37-36": _computed(mod_37_36.calc_check_digit),
        "hkid-style": _computed(hkid.mod11_character),
    }
)


def _strategy(name: str) -> Callable[[str], str] | None:
    """Return the strategy called `name`. Raises `ValueError` when there is none."""
    if name not in CHECK_DIGITS:
        raise ValueError(f"no check digit strategy {name!r}; known: {', '.join(CHECK_DIGITS)}")
    return CHECK_DIGITS[name]


@dataclass(frozen=True, slots=True)
class AccessionRules:
    """What a site knows beyond the mask. An empty set of codes means that any code of the mask is good."""

    check_digit: str = "opaque"
    hospital_codes: frozenset[str] = frozenset()
    department_codes: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuse a strategy that does not exist: it would otherwise fail at the first study."""
        _strategy(self.check_digit)


@dataclass(frozen=True, slots=True)
class AccessionNumber:
    """The five parts as they stand in the sixteen characters, well formed or not."""

    hospital: str
    department: str
    year: str
    running: str
    check: str

    def __str__(self) -> str:
        """Return the parts in one string."""
        return self.before_check + self.check

    @property
    def before_check(self) -> str:
        """The characters that a computed check digit covers."""
        return self.hospital + self.department + self.year + self.running

    @classmethod
    def parse(cls, text: str) -> AccessionNumber:
        """Cut `text` into its parts without judging them. Raises `ValueError` unless it has 16 characters."""
        if len(text) != LENGTH:
            raise ValueError(f"an accession number has {LENGTH} characters, not {len(text)}: {text!r}")
        return cls(text[:3], text[3:5], text[5:7], text[7:15], text[15])

    @classmethod
    def compose(
        cls,
        hospital: str,
        department: str,
        year: int,
        running: int,
        check_digit: str = "opaque",
        opaque_check: str = "0",
    ) -> AccessionNumber:
        """Build a well-formed number; `year` is the two digits (7 for 2007).

        The check digit comes from the strategy, or is `opaque_check` where none is computed. Raises
        `ValueError` for a part that does not fit the mask, and for an unknown strategy.
        """
        strategy = _strategy(check_digit)
        draft = cls(hospital, department, f"{year:02d}", f"{running:08d}", opaque_check)
        wrong = _outside_mask(draft)
        if wrong:
            raise ValueError(f"not parts of an accession number: {', '.join(wrong)} in {draft}")
        check = strategy(draft.before_check) if strategy else opaque_check
        return cls(draft.hospital, draft.department, draft.year, draft.running, check)


def canonical(text: str) -> str:
    """Return `text` without leading and trailing spaces, which are insignificant in SH (PS3.5 6.2)."""
    return text.strip(" ")


def inspect(text: str, rules: AccessionRules) -> tuple[str, ...]:
    """Return every reason why `text` is not an accession number under `rules`; empty when it is one.

    Without sixteen characters nobody can tell which part is wrong, so the length is then the only reason.
    A lower case letter is wrong in every part: SH is compared literally (PS3.4 C.2.2.2.1).
    """
    value = canonical(text)
    if not value:
        return (MISSING,)
    if len(value) != LENGTH:
        return (f"{MALFORMED}.length",)
    number = AccessionNumber.parse(value)
    wrong = {*_outside_mask(number), *_outside_codes(number, rules), *_wrong_check(number, rules)}
    return tuple(f"{MALFORMED}.{part}" for part in _PARTS if part in wrong)


def _outside_mask(number: AccessionNumber) -> list[str]:
    """Name the parts whose characters do not fit the slide's mask."""
    return [part.name for part in fields(number) if not _PARTS[part.name].fullmatch(getattr(number, part.name))]


def _outside_codes(number: AccessionNumber, rules: AccessionRules) -> list[str]:
    """Name the parts that are not among the codes of the site, where the site gives any."""
    codes = (
        ("hospital", number.hospital, rules.hospital_codes),
        ("department", number.department, rules.department_codes),
    )
    return [part for part, code, known in codes if known and code not in known]


def _wrong_check(number: AccessionNumber, rules: AccessionRules) -> list[str]:
    """Name the check digit when one can be computed and it is another.

    It is computed over any first fifteen that fit the mask, also with a code that the site does not list:
    a mistyped code breaks both, an unlisted one only the list.
    """
    strategy = _strategy(rules.check_digit)
    if strategy is None or _outside_mask(number):
        return []
    return [] if number.check == strategy(number.before_check) else ["check"]
