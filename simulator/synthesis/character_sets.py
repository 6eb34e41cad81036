"""The character sets that a study may be written in, and names whose bytes are not in the set declared.

Specific Character Set (0008,0005) is defined in PS3.3 C.12.1.1.2, code extensions and escape sequences in
PS3.5 6.1.2.4 and 6.1.2.5; PS3.5 Annexes J and K have the Chinese examples.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Literal

from simulator.synthesis.people import Person, simplified

Script = Literal["", "traditional", "simplified"]

# What invokes the character set of value 1 again (PS3.5 6.1.2.5.3): backslash and control characters in any
# text, and the delimiters of components and component groups in a PN.
_RESETS: Final = re.compile(r"([\\\t\n\f\r])")
_RESETS_IN_PN: Final = re.compile(r"([\\\t\n\f\r^=])")
_ASCII_HEAD: Final = re.compile(r"[\x00-\x7f]*")

NOBODY: Final = "無名氏"
"""What Chinese has for John Doe."""
_NOBODY: Final = (NOBODY, "无名氏")  # in Traditional and in Simplified characters


@dataclass(frozen=True, slots=True)
class CharacterSet:
    """One way to write text.

    name: as the standard spells it; `ISO_IR 6` for the default repertoire, which is declared by leaving
    (0008,0005) out. specific_character_set: the value of (0008,0005), empty where it is left out.
    physician_name: a synthetic PN, for Referring Physician's Name (0008,0090), that needs this set.
    script: which ideographic group of a person the set can hold, if any. codec: Python's name of it.
    escape: the escape sequence that designates the set as G1, where it is a code extension.
    """

    name: str
    specific_character_set: str
    physician_name: str
    script: Script
    codec: str
    escape: bytes = b""

    def encode(self, text: str, *, person_name: bool = True) -> bytes:
        """Return `text` as the bytes of a value, not padded.

        person_name: whether it is a PN, in which `^` and `=` part components. Raises `ValueError` with the
        characters that the set does not have.
        """
        self._check(text)
        if not self.escape:
            return text.encode(self.codec)
        parts = (_RESETS_IN_PN if person_name else _RESETS).split(text)
        return b"".join(self._extended(part) for part in parts)

    def patient_name(self, person: Person) -> str:
        """Return the PN that a modality writes for `person`: romanised, and in characters if the set has them."""
        ideographic = self._ideographic(person)
        return f"{person.name}={ideographic}" if ideographic else person.name

    def _ideographic(self, person: Person) -> str:
        if self.script == "simplified":
            return person.simplified or simplified(person.ideographic)
        return person.ideographic if self.script else ""

    def _check(self, text: str) -> None:
        missing = dict.fromkeys(character for character in text if not _has(self.codec, character))
        if missing:
            advice = "it has Simplified characters only" if self.script == "simplified" else "ISO_IR 192 has every one"
            raise ValueError(f"the character set {self.name} has no {' '.join(missing)}, as in {text!r}; {advice}")

    def _extended(self, part: str) -> bytes:
        """Return `part`, inside which nothing resets the set, designated where the first character needs it."""
        head = _ASCII_HEAD.match(part)
        start = head.end() if head else 0
        if start == len(part):
            return part.encode("ascii")
        return part[:start].encode("ascii") + self.escape + part[start:].encode(self.codec)


DEFAULT_REPERTOIRE: Final = CharacterSet("ISO_IR 6", "", "REMEDIOS^JOSE", "", "ascii")
LATIN_1: Final = CharacterSet("ISO_IR 100", "ISO_IR 100", "REMÉDIOS^JOSÉ", "", "latin-1")
# U+3B22 lies outside GBK: GB18030 has four bytes for it, of which the second and the fourth look like digits.
UTF_8: Final = CharacterSet("ISO_IR 192", "ISO_IR 192", "LEE^SIU HEI=李^兆\u3b22", "traditional", "utf-8")
GB_18030: Final = CharacterSet("GB18030", "GB18030", "LEE^SIU HEI=李^兆\u3b22", "traditional", "gb18030")
# Value 1 is empty: the default repertoire stays in G0, and GB 2312 comes to G1 by escape (PS3.5 K.2).
GB_2312: Final = CharacterSet(
    "ISO 2022 IR 58", "\\ISO 2022 IR 58", "LEE^SIU HEI=李^兆曦", "simplified", "gb2312", escape=b"\x1b$)A"
)

CHARACTER_SETS: Final = (DEFAULT_REPERTOIRE, LATIN_1, UTF_8, GB_18030, GB_2312)
"""Every character set that a study may be written in."""


def by_name(text: str) -> CharacterSet:
    """Return the character set that `text` names as the standard does, in any case.

    Spaces, underscores, hyphens and backslashes do not count. `default`, `ASCII`, `Latin-1`, `UTF-8` and
    `GB 2312` are taken too. Raises `KeyError` with the nearest names.
    """
    found = _BY_NAME.get(_squashed(text))
    if found is None:
        raise KeyError(_unknown(text))
    return found


@dataclass(frozen=True, slots=True)
class Mojibake:
    """A Patient's Name (0010,0010) whose bytes are not in the character set that the study declares.

    name: how it is asked for. explain: one sentence. declared: the set that the study is written in otherwise.
    codec: Python's name of the encoding that the characters really are in. readable: whether the alphabetic
    group is what it was; where it is not, the name in English cannot be read.
    """

    name: str
    explain: str
    declared: CharacterSet
    codec: str
    readable: bool = True

    def patient_name(self, person: Person) -> bytes:
        """Return the value; who has no ideographic group, or one that cannot be written so, is nobody in it."""
        ideographic = self._characters(person).encode(self.codec)
        return person.name.encode("ascii") + b"=" + ideographic if self.readable else ideographic

    def _characters(self, person: Person) -> str:
        traditional = self.codec != GB_2312.codec
        own = person.ideographic if traditional else person.simplified or simplified(person.ideographic)
        usable = own and not own.isascii() and _has(self.codec, own)
        return own if usable else _NOBODY[not traditional]


MOJIBAKE: Final = (
    Mojibake(
        "gb18030-name-in-iso-ir-192",
        "The characters of the name are in GB18030 in a study that declares ISO_IR 192 (UTF-8).",
        UTF_8,
        "gb18030",
    ),
    Mojibake(
        "utf-8-name-in-iso-ir-100",
        "The characters of the name are in UTF-8 in a study that declares ISO_IR 100 (Latin-1).",
        LATIN_1,
        "utf-8",
    ),
    Mojibake(
        "utf-8-name-undeclared",
        "The characters of the name are in UTF-8 in a study that declares no character set.",
        DEFAULT_REPERTOIRE,
        "utf-8",
    ),
    Mojibake(
        "big5-name-undeclared",
        "The characters of the name are in Big5, which DICOM does not have, in a study that declares no character set.",
        DEFAULT_REPERTOIRE,
        "big5hkscs",
    ),
    Mojibake(
        "gb2312-name-without-escape",
        "The characters of the name are in GB 2312 as ISO 2022 IR 58 declares, but without its escape sequences.",
        GB_2312,
        "gb2312",
    ),
    Mojibake(
        "chinese-in-place-of-english-name",
        "Where the name in English belongs stand Chinese characters in GB18030, and no character set is declared.",
        DEFAULT_REPERTOIRE,
        "gb18030",
        readable=False,
    ),
)
"""Every way in which the bytes of a name disagree with the declared character set."""


def _has(codec: str, text: str) -> bool:
    try:
        text.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def _squashed(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _spellings() -> Iterator[tuple[str, CharacterSet]]:
    yield from ((each.name, each) for each in CHARACTER_SETS)
    yield from (("default", DEFAULT_REPERTOIRE), ("ASCII", DEFAULT_REPERTOIRE), ("Latin-1", LATIN_1))
    yield from (("UTF-8", UTF_8), ("GB 2312", GB_2312))


def _unknown(text: str) -> str:
    near = dict.fromkeys(_BY_NAME[each].name for each in get_close_matches(_squashed(text), _BY_NAME))
    if not near:
        return f"no character set {text!r}; known: {', '.join(each.name for each in CHARACTER_SETS)}"
    return f"no character set {text!r}; near: {', '.join(near)}"


_BY_NAME: Final = {_squashed(spelling): each for spelling, each in _spellings()}
