from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file

from simulator.errors import NotDicom
from simulator.wire import data_set, part10
from simulator.wire.association import IMPLEMENTATION_CLASS_UID, Outgoing
from simulator.wire.data_set import EXPLICIT_VR_LITTLE_ENDIAN
from tests.wire.made import SYNTAXES, in_native_syntax, steady, written

CT = "1.2.840.10008.5.1.4.1.1.2"
uids = st.from_regex(r"1(\.[1-9][0-9]{0,5}){1,9}", fullmatch=True)


def file_of(name: str) -> bytes:
    found = get_testdata_file(name, download=False)
    assert isinstance(found, str)
    return Path(found).read_bytes()


# No data set begins with group 0002; by it the end of the meta information is found.
encoded = st.binary(max_size=40).filter(lambda data: not data.startswith(b"\x02\0"))


@given(uids, uids, st.sampled_from(SYNTAXES), encoded, st.text("ABC 12", min_size=1, max_size=16))
@steady
def test_what_is_built_is_read_back(sop_class: str, instance: str, syntax: str, encoded: bytes, sender: str) -> None:
    outgoing = Outgoing(sop_class, instance, syntax, encoded)
    assert part10.read(part10.build(outgoing, sender)) == outgoing


@given(in_native_syntax, uids)
@steady
def test_pydicom_reads_what_is_built(pair: tuple[Dataset, str], instance: str) -> None:
    made, syntax = pair
    encoded = written(made, syntax)
    read = dcmread(BytesIO(part10.build(Outgoing(CT, instance, syntax, encoded), "MODALITY")))
    meta = read.file_meta
    assert (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID) == (CT, instance)
    assert meta.TransferSyntaxUID == syntax
    assert meta.SourceApplicationEntityTitle == "MODALITY"
    assert meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
    assert meta.FileMetaInformationVersion == b"\x00\x01"
    assert list(read.keys()) == list(made.keys())


def test_the_group_length_covers_the_rest_of_the_group() -> None:
    file = part10.build(Outgoing(CT, "1.2.3", EXPLICIT_VR_LITTLE_ENDIAN, b"DATA"), "MODALITY")
    assert file[:132] == bytes(128) + b"DICM"
    assert 144 + int.from_bytes(file[140:144], "little") == len(file) - 4


@pytest.mark.parametrize(
    "name",
    ["CT_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "image_dfl.dcm", "no_meta_group_length.dcm"],
)
def test_real_files_are_read_as_pydicom_reads_them(name: str) -> None:
    file = file_of(name)
    outgoing, expected = part10.read(file), dcmread(BytesIO(file))
    assert outgoing.sop_class_uid == expected.file_meta.MediaStorageSOPClassUID
    assert outgoing.sop_instance_uid == expected.file_meta.MediaStorageSOPInstanceUID
    assert outgoing.transfer_syntax_uid == expected.file_meta.TransferSyntaxUID
    assert file.endswith(outgoing.data_set)
    whole = data_set.plain(outgoing.data_set, outgoing.transfer_syntax_uid)
    tags = [element.tag for element in data_set.elements(whole, outgoing.transfer_syntax_uid)]
    assert tags == [int(tag) for tag in expected.keys()]  # noqa: SIM118


@pytest.mark.parametrize("file", [b"", b"DICM", bytes(131), bytes(128) + b"DICN", b"%PDF-1.4" * 40])
def test_what_has_no_prefix_is_no_dicom_file(file: bytes) -> None:
    with pytest.raises(NotDicom, match="'DICM'"):
        part10.read(file)


@pytest.mark.parametrize("name", ["ExplVR_LitEndNoMeta.dcm", "ExplVR_BigEndNoMeta.dcm", "no_meta.dcm"])
def test_a_bare_data_set_is_no_dicom_file(name: str) -> None:
    with pytest.raises(NotDicom, match="'DICM'"):
        part10.read(file_of(name))


@pytest.mark.parametrize(
    ("outgoing", "missing"),
    [
        (Outgoing("", "1.2.3", EXPLICIT_VR_LITTLE_ENDIAN, b""), "no SOP class UID"),
        (Outgoing(CT, "", EXPLICIT_VR_LITTLE_ENDIAN, b""), "no SOP instance UID"),
        (Outgoing(CT, "1.2.3", "", b""), "no transfer syntax UID"),
        (Outgoing("", "", "", b""), "no SOP class and no SOP instance and no transfer syntax UID"),
    ],
)
def test_missing_meta_information_is_named(outgoing: Outgoing, missing: str) -> None:
    with pytest.raises(NotDicom, match=missing):
        part10.read(part10.build(outgoing, "MODALITY"))


def test_a_file_without_meta_information_is_refused() -> None:
    with pytest.raises(NotDicom, match="no SOP class and no SOP instance and no transfer syntax UID"):
        part10.read(bytes(128) + b"DICM")


def test_a_file_cut_in_its_meta_information_is_refused() -> None:
    file = part10.build(Outgoing(CT, "1.2.3", EXPLICIT_VR_LITTLE_ENDIAN, b""), "MODALITY")
    through_syntax = file.index(EXPLICIT_VR_LITTLE_ENDIAN.encode()) + len(EXPLICIT_VR_LITTLE_ENDIAN) + 1
    for length in range(through_syntax):
        with pytest.raises(NotDicom):
            part10.read(file[:length])
    assert part10.read(file[:through_syntax]).transfer_syntax_uid == EXPLICIT_VR_LITTLE_ENDIAN


@given(st.binary(max_size=60))
@steady
def test_garbage_behind_the_prefix_is_refused_and_nothing_else(garbage: bytes) -> None:
    with pytest.raises(NotDicom):
        part10.read(bytes(128) + b"DICM" + garbage)
