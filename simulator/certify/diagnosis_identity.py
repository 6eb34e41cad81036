"""Who the images say the patient is, compared with the sheet: HKID, name, date of birth, sex."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.certify.findings import Finding, Rule
from simulator.certify.received import Received, is_foreign
from simulator.certify.seeing import Seen
from simulator.rules import hkid, identity
from simulator.wire.data_set import PATIENT_BIRTH_DATE, PATIENT_ID, PATIENT_NAME, PATIENT_SEX, tag_text

_KEYS = (
    (PATIENT_ID, "Patient ID", "HKID"),
    (PATIENT_NAME, "Patient's Name", "name in English"),
    (PATIENT_BIRTH_DATE, "Patient's Birth Date", "date of birth"),
    (PATIENT_SEX, "Patient's Sex", "sex"),
)
_ITEM_HEAD = 8


def _not_synthetic(seen: Seen) -> Iterator[Finding]:
    """A patient from outside the synthetic range: said, and not repeated."""
    for each in seen.instances:
        if is_foreign(each.text(PATIENT_ID)):
            shown = each.shown(seen, PATIENT_ID, "tag and length of Patient ID", (-_ITEM_HEAD, 0))
            head = tuple(
                type(one)(one.words, one.capture, one.offset, one.data[:_ITEM_HEAD], one.marks) for one in shown
            )
            values = {"where": f"Patient ID {tag_text(PATIENT_ID)} of an image", "length": str(_length(each))}
            yield Finding("person.not-synthetic", values, head)


def _key_missing(seen: Seen) -> Iterator[Finding]:
    """A major key that is empty or absent: valid DICOM (Type 2), and yet nothing to verify by."""
    for each in seen.unharmful:
        missing = [(tag, name, key) for tag, name, key in _KEYS if _is_missing(each, tag)]
        if missing:
            values = {
                "keys": ", ".join(key for _, _, key in missing),
                "how": "; ".join(f"{name} {tag_text(tag)} is {_how(each, tag)}" for tag, name, _ in missing),
            }
            shown = [one for tag, name, _ in missing for one in each.shown(seen, tag, name, (-_ITEM_HEAD, 0))]
            yield Finding("key.missing", values, tuple(shown))


def _is_missing(each: Received, tag: int) -> bool:
    if tag != PATIENT_NAME:
        return each.lacks(tag)
    in_english = each.text(tag).partition("=")[0].strip(" ^")
    return each.is_absent(tag) or (tag in each.elements and not in_english)


def _how(each: Received, tag: int) -> str:
    if tag not in each.elements:
        return "absent"
    return "without its alphabetic group" if each.text(tag) else "empty"


def _hkid_spelled(seen: Seen) -> Iterator[Finding]:
    """The right HKID, written as the card prints it."""
    for each in seen.of_synthetic_people:
        said = each.text(PATIENT_ID)
        marks = tuple((at, at + 1) for at, character in enumerate(_raw(each, PATIENT_ID)) if character in "()")
        if marks and hkid.is_valid(said):
            shown = each.shown(seen, PATIENT_ID, "Patient ID", *marks)
            yield Finding("hkid.parentheses", {"said": said, "canonical": hkid.canonical(said)}, shown)


def _hkid_check(seen: Seen) -> Iterator[Finding]:
    """A number whose check character does not fit its letters and digits."""
    for each in seen.of_synthetic_people:
        said = each.text(PATIENT_ID)
        if not hkid.is_valid(said):
            raw = _raw(each, PATIENT_ID).rstrip(" \0")
            check = max((at for at, character in enumerate(raw) if character.isalnum()), default=0)
            values = {"said": said, "sheet": seen.scene.wanted.hkid or "another"}
            shown = each.shown(seen, PATIENT_ID, "Patient ID", (check, check + 1))
            yield Finding("hkid.check-digit", values | {"right": _right_check(said)}, shown)


def _hkid_other(seen: Seen) -> Iterator[Finding]:
    """A valid HKID of the synthetic range, and not the sheet's."""
    sheet = seen.scene.wanted.hkid
    for each in seen.of_synthetic_people:
        said = each.text(PATIENT_ID)
        if sheet and hkid.is_valid(said) and hkid.canonical(said) != hkid.canonical(sheet):
            yield Finding("hkid.mismatch", {"said": said, "sheet": sheet}, each.shown(seen, PATIENT_ID, "Patient ID"))


def _name_other(seen: Seen) -> Iterator[Finding]:
    """Another name in English than the sheet's."""
    sheet = seen.scene.wanted.name
    for each in seen.of_synthetic_people:
        said = each.text(PATIENT_NAME).partition("=")[0]
        if not sheet or not said.strip(" ^") or identity.canonical_name(said) == identity.canonical_name(sheet):
            continue
        end = len(each.values[PATIENT_NAME].partition(b"=")[0])
        values = {"said": said, "sheet": sheet, "why": _name_slip(said, sheet)}
        yield Finding("name.mismatch", values, each.shown(seen, PATIENT_NAME, "Patient's Name", (0, end)))


def _birth_date_other(seen: Seen) -> Iterator[Finding]:
    """Another date of birth than the sheet's, or what is no date of DICOM."""
    sheet = seen.scene.wanted.birth_date
    for each in seen.of_synthetic_people:
        said = each.text(PATIENT_BIRTH_DATE)
        if not sheet or not said or identity.canonical_birth_date(said) == sheet:
            continue
        digits = "".join(character for character in said if character.isdigit())
        if len(said) == 8 and said == digits:
            swapped = digits[:4] + digits[6:] + digits[4:6] == sheet
            why = "day and month stand in each other's place" if swapped else "it is another day"
        else:
            why = "a DA has eight digits, YYYYMMDD, and nothing else (PS3.5 6.2)"
        values = {"said": said, "sheet": sheet, "why": why}
        yield Finding("birth-date.mismatch", values, each.shown(seen, PATIENT_BIRTH_DATE, "Patient's Birth Date"))


def _sex_other(seen: Seen) -> Iterator[Finding]:
    """Another sex than the sheet's, or a code that DICOM does not have."""
    sheet = seen.scene.wanted.sex
    for each in seen.of_synthetic_people:
        said = each.text(PATIENT_SEX)
        if not sheet or not said or identity.canonical_sex(said) == identity.canonical_sex(sheet):
            continue
        known = identity.canonical_sex(said) in ("M", "F", "O")
        why = "it is another" if known else "DICOM has M, F and O alone (PS3.3 C.7.1.1)"
        values = {"said": said, "sheet": sheet, "why": why}
        yield Finding("sex.mismatch", values, each.shown(seen, PATIENT_SEX, "Patient's Sex"))


def _length(each: Received) -> int:
    return len(each.text(PATIENT_ID))


def _raw(each: Received, tag: int) -> str:
    return each.values.get(tag, b"").decode("latin-1")


def _right_check(said: str) -> str:
    """Return the check character that the number would have to have."""
    body = hkid.canonical(said)
    for candidate in (body[:-1], body):
        try:
            return hkid.check_character(candidate)
        except ValueError:
            continue
    return "none: it has not six digits"


def _name_slip(said: str, sheet: str) -> str:
    """Return what is most likely wrong with a name."""
    family, _, given = identity.canonical_name(said).partition("^")
    right = identity.canonical_name(sheet)
    if f"{given}^{family}" == right:
        return "family name and given name stand in each other's place"
    if "^" not in said and said.upper().replace(" ", "") == right.replace("^", "").replace(" ", ""):
        return "the caret (^) between family name and given name is missing"
    if "," in said:
        return "a comma stands where the caret (^) belongs"
    if "\ufffd" in said:
        return "bytes of it are in another character set than the one declared"
    return "it is another name"


RULES: tuple[Rule, ...] = (
    _not_synthetic,
    _key_missing,
    _hkid_spelled,
    _hkid_check,
    _hkid_other,
    _name_other,
    _birth_date_other,
    _sex_other,
)
