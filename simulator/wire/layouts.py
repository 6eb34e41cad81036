"""Surveys data sets that are laid out alike, as those of one series are, without walking each of them.

What a survey proves it proves from the heads of the elements (tags, VRs, lengths) and the size of the whole; it reads
no value. So a data set of the same size with the same heads in the same places is as whole as the one that was walked,
and its values stand where they stood there.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator

from simulator.wire import data_set
from simulator.wire.data_set import Element, Survey

_SIZES = 64  # data sets of so many sizes are remembered
_LAYOUTS = 4  # and so many layouts of each size

Encoded = bytes | memoryview


class Layouts:
    """Surveys for the same tags. Safe for use from several threads."""

    def __init__(self, tags: Collection[int]) -> None:
        self._tags = tags
        self._known: dict[tuple[str, int], tuple[_Layout, ...]] = {}

    def survey(self, data: Encoded, transfer_syntax_uid: str) -> Survey:
        """Return what `data_set.survey` does. Raises `NotDicom` as it does."""
        if transfer_syntax_uid == data_set.DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN:
            return data_set.survey(data, transfer_syntax_uid, self._tags)
        key = transfer_syntax_uid, len(data)
        known = self._known.get(key)
        for layout in known or ():
            if layout.fits(data):
                return layout.survey(data)
        survey = data_set.survey(data, transfer_syntax_uid, self._tags)
        self._remember(key, known, data)
        return survey

    def _remember(self, key: tuple[str, int], known: tuple[_Layout, ...] | None, data: Encoded) -> None:
        """Note a size that is new, and from its second data set on the layout: most sizes come once."""
        if known is None:
            if len(self._known) >= _SIZES:
                self._known.clear()
            self._known[key] = ()
        elif len(known) < _LAYOUTS:
            self._known[key] = (*known, _Layout(data, key[0], self._tags))


class _Layout:
    """Where heads stand in a data set that was surveyed, what they say, and where the values are that are wanted."""

    __slots__ = ("_expected", "_heads", "_pixel_data", "_tags", "_values")

    def __init__(self, data: Encoded, transfer_syntax_uid: str, tags: Collection[int]) -> None:
        self._heads = _cut_out(data_set.heads(data, transfer_syntax_uid))
        self._expected = self._heads.unpack_from(data)
        found = list(data_set.elements(data, transfer_syntax_uid))
        wanted = [element for element in found if element.tag in tags]
        self._tags = tuple(element.tag for element in wanted)
        self._values = _cut_out((element.start, element.end) for element in wanted)
        pixel_data = [element for element in found if element.tag == data_set.PIXEL_DATA]
        self._pixel_data: Element | None = pixel_data[0] if pixel_data else None

    def fits(self, data: Encoded) -> bool:
        """Tell whether a data set of the same size has this layout."""
        return self._heads.unpack_from(data) == self._expected

    def survey(self, data: Encoded) -> Survey:
        """Return the survey of a data set that has this layout."""
        return Survey(dict(zip(self._tags, self._values.unpack_from(data), strict=True)), self._pixel_data)


def _cut_out(places: Iterable[tuple[int, int]]) -> struct.Struct:
    """Return what cuts places out of bytes; they are in order, and one may lie in the one before."""
    return struct.Struct("=" + "".join(_pieces(places)))


def _pieces(places: Iterable[tuple[int, int]]) -> Iterator[str]:
    at = 0
    for start, end in places:
        if start >= at:
            yield f"{start - at}x{end - start}s"
        elif end > at:
            yield f"{end - at}s"
        at = max(at, end)
