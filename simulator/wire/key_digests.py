"""Digests of a study's accession number and major keys, so that whose keys an instance carries can be told without
naming anybody.

Of a name only the alphabetic component group counts, and no padding does; else a value is taken to the letter. The
digests are keyed with a secret of this process: there are few enough HKIDs to try them all. So they compare within one
run, and say nothing outside it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from functools import lru_cache
from io import BytesIO

from pydicom.filereader import read_dataset

from simulator.wire import data_set, rewriting

_SECRET = secrets.token_bytes(32)

TAGS: Mapping[str, int] = {
    "accession": data_set.ACCESSION_NUMBER,
    "hkid": data_set.PATIENT_ID,
    "name": data_set.PATIENT_NAME,
    "birth-date": data_set.PATIENT_BIRTH_DATE,
    "sex": data_set.PATIENT_SEX,
}


def of_texts(texts: Mapping[str, str]) -> dict[str, str]:
    """Return the digests of texts by name (`TAGS`)."""
    return {name: _digest(name, text) for name, text in texts.items()}


def of_values(values: Mapping[int, bytes]) -> dict[str, str]:
    """Return the digests of raw values by tag, as `data_set.read` gives them; an absent one counts as empty."""
    return of_texts({name: data_set.text(values, tag) for name, tag in TAGS.items()})


def of_originals(data: bytes, transfer_syntax_uid: str) -> dict[str, str]:
    """Return the digests of the keys that the last item of the Original Attributes Sequence (0400,0561) keeps.

    Read by pydicom, apart from how the gateway writes it. Raises `NotDicom` for what cannot be inflated.
    """
    plain = data_set.plain(data, transfer_syntax_uid)
    found = read_dataset(
        BytesIO(plain),
        is_implicit_VR=transfer_syntax_uid == data_set.IMPLICIT_VR_LITTLE_ENDIAN,
        is_little_endian=transfer_syntax_uid != data_set.EXPLICIT_VR_BIG_ENDIAN,
        stop_when=lambda tag, vr, length: tag > rewriting.ORIGINAL_ATTRIBUTES_SEQUENCE,
    )
    if rewriting.ORIGINAL_ATTRIBUTES_SEQUENCE not in found or not found[rewriting.ORIGINAL_ATTRIBUTES_SEQUENCE].value:
        return {}
    item = found[rewriting.ORIGINAL_ATTRIBUTES_SEQUENCE].value[-1]
    kept = item[rewriting.MODIFIED_ATTRIBUTES_SEQUENCE].value[0]
    character_set = found.get_item(data_set.SPECIFIC_CHARACTER_SET)
    values = {data_set.SPECIFIC_CHARACTER_SET: bytes(character_set.value or b"")} if character_set else {}
    values |= {tag: bytes(kept.get_item(tag).value or b"") for tag in TAGS.values() if tag in kept}
    return of_texts({name: data_set.text(values, tag) for name, tag in TAGS.items() if tag in kept})


@lru_cache(maxsize=256)  # they are the same all through a study
def _digest(name: str, text: str) -> str:
    said = text.partition("=")[0] if name == "name" else text
    text_of_key = f"{name}/{said.strip(' ')}".encode("utf-8", "surrogatepass")
    return hmac.new(_SECRET, text_of_key, hashlib.sha256).hexdigest()[:16]
