"""Lies about the name: its spellings, its components and groups (PS3.5 6.2 and 6.2.1.2), and its character set."""

from __future__ import annotations

from typing import Final

from simulator.synthesis import people
from simulator.synthesis.character_sets import LATIN_1, MOJIBAKE, NOBODY, Mojibake
from simulator.synthesis.draft import Values
from simulator.synthesis.lie import Lie, Tell, always, first_other, one_value
from simulator.synthesis.orders import Order

UNREADABLE_NAME: Final = "name.unreadable"
"""The warning for a name some of whose bytes are not in the character set declared."""

_NAME_IN_BYTES: Final = ("SpecificCharacterSet", "PatientName")
_MADE_UP_GIVEN_NAME: Final = "TAI MAN"
_GROUP_LIMIT: Final = 64  # characters of a component group (PS3.5 6.2, PN)


def _another_name(seed: str, order: Order) -> str:
    return first_other(order.person.name, lambda turn: people.person(f"{seed}/another-name/{turn}").name)


def _components(order: Order) -> tuple[str, str]:
    """Return surname and given name; a given name is made up where there is none, or where it is the surname."""
    surname, _, given = order.person.name.partition("^")
    return surname, given if given not in ("", surname) else _MADE_UP_GIVEN_NAME


def _given_name_in_one_alone(seed: str, order: Order) -> str:
    surname, caret, _ = order.person.name.partition("^")
    return surname if caret else f"{surname}^{_MADE_UP_GIVEN_NAME}"


def _swapped(seed: str, order: Order) -> str:
    surname, given = _components(order)
    return f"{given}^{surname}"


def _in_one_component(seed: str, order: Order) -> str:
    return " ".join(_components(order))


def _with_a_space_more(seed: str, order: Order) -> str:
    name = order.person.name
    return name.replace(" ", "  ", 1) if " " in name else f"{name[0]} {name[1:]}"


def _capitalised(seed: str, order: Order) -> str:
    return "^".join(" ".join(word.capitalize() for word in part.split(" ")) for part in order.person.name.split("^"))


def _lower(seed: str, order: Order) -> str:
    return order.person.name.lower()


def _ideographic_alone(seed: str, order: Order) -> Values:
    return {"SpecificCharacterSet": "ISO_IR 192", "PatientName": f"={_ideographic(order)}".encode()}


def _all_three_groups(seed: str, order: Order) -> Values:
    # What is spoken in Cantonese is written down in the letters of the name itself.
    name = f"{order.person.name}={_ideographic(order)}={order.person.name.lower()}"
    return {"SpecificCharacterSet": "ISO_IR 192", "PatientName": name.encode()}


def _in_gbk(seed: str, order: Order) -> Values:
    return {"SpecificCharacterSet": "GBK", "PatientName": f"{order.person.name}={_ideographic(order)}".encode("gbk")}


def _ideographic(order: Order) -> str:
    return order.person.ideographic or NOBODY


def _name(reason: str, name: str, explain: str, tell: Tell) -> Lie:
    return one_value("PatientName", reason, name, explain, tell)


_SPELLINGS: Final = (
    _name("", "lower-case-name", "The name is written in small letters.", _lower),
    _name("", "capitalised-name", "Each word of the name begins with a capital letter alone.", _capitalised),
    _name(
        "",
        "carets-after-name",
        "After the name stand the carets of its empty components, as one may leave out (PS3.5 6.2).",
        lambda seed, order: order.person.name + "^" * (4 - order.person.name.count("^")),
    ),
    _name(
        "",
        "spaces-around-name",
        "Spaces stand before and after the name, which are insignificant (PS3.5 6.2).",
        lambda seed, order: f"  {order.person.name}  ",
    ),
    Lie(
        "name-in-two-spellings",
        ("PatientName",),
        "Every instance but the first has the name in small letters: the same name, spelled in two ways.",
        lambda seed, order: {"PatientName": order.person.name.lower()},
        told_by="all but the first",
    ),
)
_OTHER_NAMES: Final = (
    _name("name.mismatch", "another-name", "The name is that of another person.", _another_name),
    _name("name.mismatch", "swapped-name", "The given name stands before the caret, the surname after it.", _swapped),
    _name(
        "name.mismatch",
        "name-in-one-component",
        "Surname and given name stand in one component, with a space where the caret belongs.",
        _in_one_component,
    ),
    _name(
        "name.mismatch",
        "given-name-in-one-alone",
        "The given name is left out; or one is made up, where the order has none.",
        _given_name_in_one_alone,
    ),
    _name("name.mismatch", "space-within-name", "A space more stands within the name.", _with_a_space_more),
)
_NO_NAMES: Final = (
    _name("name.missing", "empty-name", "The name is empty.", always("")),
    _name(
        "name.invalid",
        "six-component-name",
        "The name has six components, one more than a PN can have (PS3.5 6.2).",
        lambda seed, order: "^".join((*_components(order), "", "", "", "JUNIOR")),
    ),
    _name(
        "name.invalid",
        "65-character-name",
        "The name has 65 characters, one more than a component group can have (PS3.5 6.2).",
        lambda seed, order: f"{order.person.name} ".ljust(_GROUP_LIMIT + 1, "N"),
    ),
)


_GROUPS: Final = (
    Lie(
        "ideographic-name-alone",
        _NAME_IN_BYTES,
        "The name stands in Chinese characters alone: the group of the name in English is empty (PS3.5 6.2.1.2).",
        _ideographic_alone,
        reasons=("name.missing",),
        needs_default_repertoire=True,
    ),
    Lie(
        "three-group-name",
        _NAME_IN_BYTES,
        "Beside the name in English stand its ideographic and its phonetic group (PS3.5 6.2.1.2).",
        _all_three_groups,
        needs_default_repertoire=True,
    ),
    Lie(
        "chinese-name-in-gbk",
        _NAME_IN_BYTES,
        "Beside the name in English stands the one in Chinese, in GBK as is declared (PS3.3 C.12.1.1.2).",
        _in_gbk,
        needs_default_repertoire=True,
    ),
)


def _mojibake(kind: Mojibake) -> Lie:
    """Return the lie of a name that is not in the character set that is declared."""

    def values(seed: str, order: Order) -> Values:
        name: Values = {"PatientName": kind.patient_name(order.person)}
        declared = kind.declared.specific_character_set
        return {**name, "SpecificCharacterSet": declared} if declared else name

    about = _NAME_IN_BYTES if kind.declared.specific_character_set else _NAME_IN_BYTES[1:]
    # The name in English is whole in all but one: what cannot be read is worth a word then, and no more.
    reasons, warnings = ((), (UNREADABLE_NAME,)) if kind.readable else (("name.invalid",), (UNREADABLE_NAME,))
    return Lie(
        kind.name, about, kind.explain, values, reasons=reasons, warnings=warnings, needs_default_repertoire=True
    )


# Any bytes are text in ISO_IR 100, so nobody can tell that they are meant as another.
_CHARACTER_SETS: Final = tuple(_mojibake(kind) for kind in MOJIBAKE if kind.declared is not LATIN_1)

ABOUT_NAMES: Final = (*_OTHER_NAMES, *_NO_NAMES, *_SPELLINGS, *_GROUPS, *_CHARACTER_SETS)
