"""DICOM files (PS3.10 chapter 7): an instance as it goes over the wire, and the file around it."""

from __future__ import annotations

import struct

from simulator.errors import NotDicom
from simulator.wire import data_set
from simulator.wire.terms import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, Outgoing

_PREAMBLE = b"\0" * 128 + b"DICM"
_META_VERSION = b"\x02\x00\x01\x00OB\0\0\x02\0\0\0\0\x01"
_GROUP_LENGTH = struct.Struct("<HH2sHL")


def head(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, sender: str) -> bytes:
    """Return what stands before the data set in the Part 10 file of an instance.

    `sender` becomes Source Application Entity Title (0002,0016).
    """
    meta = b"".join(
        (
            _META_VERSION,
            _element(0x0002, b"UI", sop_class_uid),
            _element(0x0003, b"UI", sop_instance_uid),
            _element(0x0010, b"UI", transfer_syntax_uid),
            _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID),
            _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME),
            _element(0x0016, b"AE", sender),
        )
    )
    return b"".join((_PREAMBLE, _GROUP_LENGTH.pack(2, 0, b"UL", 4, len(meta)), meta))


def build(outgoing: Outgoing, sender: str) -> bytes:
    """Return the Part 10 file of an instance; see `head`."""
    uids = outgoing.sop_class_uid, outgoing.sop_instance_uid, outgoing.transfer_syntax_uid
    return head(*uids, sender) + outgoing.data_set


def read(file: bytes) -> Outgoing:
    """Return the instance in a Part 10 file. Raises `NotDicom`, saying what is missing."""
    if file[128:132] != b"DICM":
        raise NotDicom("not a DICOM file: bytes 128 to 131 are not 'DICM' (PS3.10 7.1)")
    meta, end = _file_meta(file)
    values = {
        name: data_set.text(meta, tag)
        for name, tag in (("SOP class", 0x00020002), ("SOP instance", 0x00020003), ("transfer syntax", 0x00020010))
    }
    missing = [name for name, value in values.items() if not value]
    if missing:
        raise NotDicom(f"the file meta information has no {' and no '.join(missing)} UID (PS3.10 7.1)")
    return Outgoing(values["SOP class"], values["SOP instance"], values["transfer syntax"], file[end:])


def sender(file: bytes) -> str:
    """Return Source Application Entity Title (0002,0016) of a file, empty where it has none. Raises `NotDicom`."""
    return data_set.text(_file_meta(file)[0], 0x00020016)


def _file_meta(file: bytes) -> tuple[dict[int, bytes], int]:
    """Return the values of group 0002, which is Explicit VR Little Endian always, and where it ends."""
    found: dict[int, bytes] = {}
    end = 132
    for element in data_set.elements(file, data_set.EXPLICIT_VR_LITTLE_ENDIAN, start=132):
        if element.tag >> 16 != 2:
            break
        found[element.tag] = file[element.start : element.end]
        end = element.end
        if file[end : end + 2] != b"\x02\x00":
            break
    return found, end


def _element(element: int, vr: bytes, text: str) -> bytes:
    value = text.encode("ascii", "replace")
    padding = b"" if len(value) % 2 == 0 else b"\0" if vr == b"UI" else b" "
    return struct.pack("<HH2sH", 2, element, vr, len(value) + len(padding)) + value + padding
