"""Data sets of every shape, written by pydicom, and where one top-level element ends and the next begins."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from itertools import accumulate
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from pydicom import DataElement, Dataset, Sequence
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from simulator.wire.data_set import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)

# The same examples in every run, and no failure by a slow machine.
steady: Callable[[Any], Any] = settings(derandomize=True, deadline=None, database=None, max_examples=100)

RLE = "1.2.840.10008.1.2.5"
NATIVE = (IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN)
SYNTAXES = (*NATIVE, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)


def written(data_set: Dataset, syntax: str = EXPLICIT_VR_LITTLE_ENDIAN) -> bytes:
    """Return the data set as pydicom encodes it."""
    file = DicomBytesIO()
    file.is_little_endian = syntax != EXPLICIT_VR_BIG_ENDIAN
    file.is_implicit_VR = syntax == IMPLICIT_VR_LITTLE_ENDIAN
    write_dataset(file, data_set)
    encoded = bytes(file.getvalue())
    return deflated(encoded) if syntax == DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN else encoded


def deflated(encoded: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(encoded) + compressor.flush()


def boundaries(data_set: Dataset, syntax: str) -> list[int]:
    """Return the offsets between the top-level elements: each element written alone, and the lengths summed up."""
    lengths = []
    for tag in data_set.keys():  # noqa: SIM118 - iterating over a data set gives elements
        alone = Dataset()
        alone.add(data_set[tag])
        lengths.append(len(written(alone, syntax)))
    return list(accumulate(lengths, initial=0))


def sequence(tag: int, items: list[Dataset], *, undefined: bool = False, undefined_items: bool = False) -> DataElement:
    for item in items:
        item.is_undefined_length_sequence_item = undefined_items
    element = DataElement(tag, "SQ", Sequence(items))
    element.is_undefined_length = undefined
    return element


def fragments(*parts: bytes) -> DataElement:
    """Return Pixel Data in fragments behind an empty offset table (PS3.5 A.4)."""
    element = DataElement(0x7FE00010, "OB", encapsulate(list(parts), has_bot=False))
    element.is_undefined_length = True
    return element


def unknown_sequence(tag: int, items: list[Dataset]) -> DataElement:
    """Return an UN of undefined length, which holds Implicit VR Little Endian whatever is around it (PS3.5 6.2.2).

    In Big Endian pydicom would close it with a delimiter in the wrong byte order.
    """
    inner = Dataset()
    inner.add(sequence(0x00081140, items, undefined=True))
    value = written(inner, IMPLICIT_VR_LITTLE_ENDIAN)[8:-8]
    element = DataElement(tag, "UN", value)
    element.is_undefined_length = True
    return element


_text = st.text("ABCXYZ 019", max_size=12)
_leaves = st.one_of(
    st.builds(DataElement, st.just(0x00080050), st.just("SH"), _text),
    st.builds(DataElement, st.just(0x00100010), st.just("PN"), _text),
    st.builds(DataElement, st.just(0x00080018), st.just("UI"), st.sampled_from(("", "1.2", "1.2.3"))),
    st.builds(DataElement, st.just(0x00280010), st.just("US"), st.integers(0, 65535)),
    st.builds(DataElement, st.just(0x00204000), st.just("LT"), _text),
    st.builds(DataElement, st.just(0x0040A160), st.just("UT"), _text),
    st.builds(DataElement, st.just(0x00091010), st.just("OB"), st.binary(max_size=8)),
    st.builds(DataElement, st.just(0x00091020), st.just("UN"), st.binary(max_size=8)),
)


def _data_set(elements: list[DataElement]) -> Dataset:
    made = Dataset()
    for element in sorted(elements, key=lambda e: int(e.tag)):
        made.add(element)
    return made


def _sequences(items: st.SearchStrategy[Dataset]) -> st.SearchStrategy[DataElement]:
    tags = st.sampled_from((0x00081140, 0x00400275, 0x00321064))
    some = st.lists(items, max_size=3)
    known = st.builds(sequence, tags, some, undefined=st.booleans(), undefined_items=st.booleans())
    return st.one_of(known, st.builds(unknown_sequence, st.just(0x00091030), some))


_items: st.SearchStrategy[Dataset] = st.recursive(
    st.lists(_leaves, max_size=3).map(_data_set),
    lambda inner: st.lists(st.one_of(_leaves, _sequences(inner)), max_size=3).map(_data_set),
    max_leaves=6,
)
_pixels = st.binary(max_size=16).map(lambda value: DataElement(0x7FE00010, "OB", value + bytes(len(value) % 2)))
_top = st.lists(st.one_of(_leaves, _sequences(_items)), max_size=5)

data_sets = st.builds(lambda e, pixels: _data_set([*e, *pixels]), _top, st.lists(_pixels, max_size=1))


def _is_written_rightly(pair: tuple[Dataset, str]) -> bool:
    made, syntax = pair
    unknown = any(element.VR == "UN" and element.is_undefined_length for element in made.iterall())
    return not (unknown and syntax == EXPLICIT_VR_BIG_ENDIAN)


in_any_syntax = st.tuples(data_sets, st.sampled_from(SYNTAXES)).filter(_is_written_rightly)
in_native_syntax = st.tuples(data_sets, st.sampled_from(NATIVE)).filter(_is_written_rightly)
compressed = st.builds(
    lambda e, parts: _data_set([*e, fragments(*parts)]),
    _top,
    st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=3),
)
