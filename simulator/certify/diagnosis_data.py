"""What else the images say: accession number, character set, how many, whether they agree, what time it is."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

from simulator.certify.findings import Finding, Rule
from simulator.certify.received import (
    INSTANCE_CREATION_DATE,
    INSTANCE_CREATION_TIME,
    STUDY_DATE,
    STUDY_TIME,
    Received,
)
from simulator.certify.seeing import Seen, moment
from simulator.events import StudyChanged
from simulator.rules import accession, identity
from simulator.rules import hkid as hkids
from simulator.wire.command_set import AFFECTED_SOP_INSTANCE_UID
from simulator.wire.data_set import (
    ACCESSION_NUMBER,
    PATIENT_BIRTH_DATE,
    PATIENT_ID,
    PATIENT_NAME,
    PATIENT_SEX,
    SPECIFIC_CHARACTER_SET,
    STUDY_INSTANCE_UID,
)

HONG_KONG = timezone(timedelta(hours=8), "Hong Kong time")
TOLERANCE = timedelta(minutes=5)
_LIMIT = 1000  # slide No. of Image Policy
_COUNTED = "image-count.exceeded"
# Code points 80H to 9FH: no graphic characters in the sets of ISO 8859, but the second half of letters in UTF-8.
_CONTROLS = re.compile("[\x80-\x9f]")
_TIME = re.compile(rb"([0-9]{2})([0-9]{2})([0-9]{2})?")


def _accession(seen: Seen) -> Iterator[Finding]:
    """The accession number is missing, has not 16 characters, is no such number, or is another than the sheet's."""
    sheet = seen.scene.wanted.accession_number
    for each in seen.unharmful:
        said = accession.canonical(each.text(ACCESSION_NUMBER))
        if not sheet or said == sheet or not (said or each.lacks(ACCESSION_NUMBER)):
            continue
        values = {"said": said, "sheet": sheet, "length": str(len(said)), "sheet_length": str(len(sheet))}
        values["lost"] = _lost(said, sheet)
        shown = each.shown(seen, ACCESSION_NUMBER, "Accession Number")
        if not said:
            how = "empty" if ACCESSION_NUMBER in each.elements else "absent"
            told = each.shown(seen, ACCESSION_NUMBER, "Accession Number", (-8, 0))
            yield Finding("accession.missing", values | {"how": how}, told)
        elif len(said) != accession.LENGTH:
            yield Finding("accession.length", values, shown)
        else:
            yield Finding("accession.not-the-ordered", values, shown)


def _accession_used(seen: Seen) -> Iterator[Finding]:
    """A second study under an accession number that a study has already."""
    for event in seen.events(StudyChanged):
        if "accession.duplicate" in event.reasons:
            yield Finding("accession.used-twice", {"said": event.accession_number})


def _character_set(seen: Seen) -> Iterator[Finding]:
    """The bytes of a name are not in the character set that the image declares (PS3.3 C.12.1.1.2)."""
    for each in seen.of_synthetic_people:
        name = each.text(PATIENT_NAME)
        raw = each.values.get(PATIENT_NAME, b"")
        if "\ufffd" not in name and not _CONTROLS.search(name):
            continue
        foreign = [at for at, byte in enumerate(raw) if byte >= 0x80 or byte == 0x1B]
        mark = (min(foreign, default=0), max(foreign, default=len(raw) - 1) + 1)
        declared = each.text(SPECIFIC_CHARACTER_SET) or "nothing, which is ISO_IR 6 (ASCII)"
        values = {"declared": declared, "likely": _likely(raw), "bytes": raw[mark[0] : mark[1]][:12].hex(" ").upper()}
        shown = (
            *each.shown(seen, SPECIFIC_CHARACTER_SET, "Specific Character Set"),
            *each.shown(seen, PATIENT_NAME, "Patient's Name", mark),
        )
        yield Finding("charset.disagrees", values, shown)


def _too_many(seen: Seen) -> Iterator[Finding]:
    """More than 1000 images in a study (slide No. of Image Policy)."""
    counts: dict[str, set[str]] = defaultdict(set)
    requests = [exchange.request for talk in seen.incoming for exchange in talk.exchanged("C-STORE-RQ")]
    studies = {each.sop_instance_uid: each.text(STUDY_INSTANCE_UID) for each in seen.instances}
    for request in requests:
        uid = request.command.text(AFFECTED_SOP_INSTANCE_UID)
        counts[studies.get(uid, "")].add(uid)
    most = max((len(uids) for uids in counts.values()), default=0)
    told = [e.instances for e in seen.events(StudyChanged) if _COUNTED in (*e.warnings, *e.reasons)]
    if most > _LIMIT or told:
        yield Finding("images.over-1000", {"count": str(max(most, *told, 0)), "limit": str(_LIMIT)})


def _inconsistent(seen: Seen) -> Iterator[Finding]:
    """Instances of one study that name two patients, or two accession numbers."""
    studies: dict[str, list[Received]] = defaultdict(list)
    for each in seen.of_synthetic_people:
        studies[each.text(STUDY_INSTANCE_UID)].append(each)
    for received in studies.values():
        for tag, name, canonical in (
            (PATIENT_ID, "Patient ID", hkids.canonical),
            (PATIENT_NAME, "Patient's Name", identity.canonical_name),
            (PATIENT_BIRTH_DATE, "Patient's Birth Date", identity.canonical_birth_date),
            (PATIENT_SEX, "Patient's Sex", identity.canonical_sex),
            (ACCESSION_NUMBER, "Accession Number", accession.canonical),
        ):
            other = next((e for e in received[1:] if canonical(e.text(tag)) != canonical(received[0].text(tag))), None)
            if other is not None:
                values = {"attribute": name, "first": received[0].text(tag), "second": other.text(tag)}
                values["number"] = str(received.index(other) + 1)
                shown = (*received[0].shown(seen, tag, f"{name} of image 1"), *other.shown(seen, tag, f"{name} later"))
                yield Finding("study.inconsistent", values, shown)
                break


def _clock(seen: Seen) -> Iterator[Finding]:
    """The modality's clock is off: images from the future, or made long before the test that asked for them.

    A study's own time lies before its images came, rightly; it tells of a clock that is ahead, and of no other.
    """
    begun = moment(seen.scene.moment) - timedelta(seconds=seen.scene.seconds)
    for each in seen.unharmful:
        came = seen.moment_of(each.talk.conversation, each.message.at)
        created = _moment(each, INSTANCE_CREATION_DATE, INSTANCE_CREATION_TIME)
        started = _moment(each, STUDY_DATE, STUDY_TIME)
        for stated, tag, name, is_of_now in (
            (created, INSTANCE_CREATION_TIME, "Instance Creation Time", True),
            (started, STUDY_TIME, "Study Time", False),
        ):
            if stated is None:
                continue
            if stated > came + TOLERANCE or (is_of_now and stated < begun - TOLERANCE):
                yield clock_finding(name, stated, came, each.shown(seen, tag, name))
                break


def clock_finding(name: str, stated: datetime, came: datetime, shown: tuple[object, ...] = ()) -> Finding:
    """Return what a clock says, and what it should."""
    off = stated - came
    ahead = off > timedelta(0)
    hours = round(off / timedelta(hours=1))
    whole = abs(off - timedelta(hours=hours)) <= TOLERANCE and hours
    values = {
        "name": name,
        "stated": f"{stated.astimezone(HONG_KONG):%Y-%m-%d %H:%M:%S}",
        "came": f"{came.astimezone(HONG_KONG):%Y-%m-%d %H:%M:%S}",
        "off": f"{_told(abs(off))} {'ahead' if ahead else 'behind'}",
        "why": " It is whole hours, as a wrong time zone makes them." if whole and abs(hours) <= 14 else "",
    }
    return Finding("clock.off", values, shown)  # type: ignore[arg-type]


def _moment(each: Received, date_tag: int, time_tag: int) -> datetime | None:
    """Return date and time of an instance; None where either is missing or none. Without a zone it is Hong Kong's."""
    time = _TIME.match(each.values.get(time_tag, b""))
    if time is None:
        return None
    text = each.values.get(date_tag, b"").strip(b" \0") + b"".join(part or b"00" for part in time.groups())
    return local_moment(text.decode("latin-1"))


def local_moment(text: str) -> datetime | None:
    """Return a moment written YYYYMMDDHHMM, with seconds and a zone (`+0800`) or not; without, it is Hong Kong's."""
    found = re.match(r"([0-9]{12})([0-9]{2})?(?:\.[0-9]+)?([+-][0-9]{4})?$", text)
    if found is None:
        return None
    try:
        naive = datetime.strptime(found[1] + (found[2] or "00"), "%Y%m%d%H%M%S")
        if found[3] is None:
            return naive.replace(tzinfo=HONG_KONG)
        return datetime.strptime(f"{naive:%Y%m%d%H%M%S}{found[3]}", "%Y%m%d%H%M%S%z").astimezone(UTC)
    except ValueError:
        return None


def _told(off: timedelta) -> str:
    seconds = int(off.total_seconds())
    if seconds >= 2 * 86400:
        return f"{seconds // 86400} days"
    if seconds >= 2 * 3600:
        return f"{seconds / 3600:.1f} hours"
    return f"{seconds // 60} minutes"


def _lost(said: str, sheet: str) -> str:
    """Return what happened to the number, as far as it can be told."""
    if said and sheet.startswith(said):
        return f"the end of it was cut off ({sheet[len(said) :]!r} is missing)"
    if said and sheet.endswith(said):
        return f"the beginning of it was cut off ({sheet[: -len(said)]!r} is missing)"
    if said.startswith(sheet):
        return f"something was added behind it ({said[len(sheet) :]!r})"
    if said.lstrip("0") == sheet.lstrip("0"):
        return "its leading zeros are other"
    if said.upper() == sheet:
        return "it is in small letters, and an SH is compared with case"
    return "it is another number"


def _likely(raw: bytes) -> str:
    """Return in which character set the bytes may well be."""
    for codec, name in (("utf-8", "UTF-8 (ISO_IR 192)"), ("gb18030", "GB18030"), ("big5hkscs", "Big5")):
        try:
            raw.decode(codec)
        except UnicodeDecodeError:
            continue
        return name
    return "none of UTF-8, GB18030 and Big5"


RULES: tuple[Rule, ...] = (_accession, _accession_used, _character_set, _too_many, _inconsistent, _clock)
