"""An instance as it stands just before its elements are joined: the last place where it can be made wrong.

What is changed here no writer mends any more: a value stands as it is given, of whatever length.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from simulator.synthesis import encoding
from simulator.synthesis.encoding import Attributes, Encoding, PixelData

Values = Mapping[str, str | bytes]
"""Raw values by keyword; text is of the default repertoire."""


@dataclass(frozen=True, slots=True)
class Draft:
    """One instance, encoded but not yet joined.

    sop_class_uid, sop_instance_uid: as the C-STORE request and the file meta information name them. elements:
    all but Pixel Data, by tag.
    """

    sop_class_uid: str
    sop_instance_uid: str
    encoding: Encoding
    elements: Mapping[int, bytes]
    pixel_data: PixelData

    def saying(self, values: Values) -> Draft:
        """Return the instance with `values`, each made even in length and else as given."""
        raw = {keyword: _bytes(value) for keyword, value in values.items()}
        return self._with(self.encoding.elements(raw))

    def saying_unpadded(self, keyword: str, value: bytes) -> Draft:
        """Return the instance with a value that is as long as it is, also where that is odd (against PS3.5 7.1.1)."""
        return self._with({encoding.tag_of(keyword): self.encoding.unpadded(keyword, value)})

    def holding(self, tag: int, vr: str, value: bytes) -> Draft:
        """Return the instance with one more attribute, of any tag and in any value representation."""
        return self._with({tag: self.encoding.element(tag, vr, value)})

    def repeating(self, keyword: str, value: str | bytes) -> Draft:
        """Return the instance with an attribute a second time, saying `value` (against PS3.5 7.1)."""
        tag = encoding.tag_of(keyword)
        again = self.encoding.element(tag, encoding.vr_of(keyword), _bytes(value))
        return self._with({tag: self.elements.get(tag, b"") + again})

    def nesting(self, keyword: str, *items: Attributes) -> Draft:
        """Return the instance with a sequence of `items`, it and they of undefined length (PS3.5 7.5)."""
        tag = encoding.tag_of(keyword)
        contents = [encoding.joined(self.encoding.elements(each)) for each in items]
        return self._with({tag: self.encoding.delimited(tag, *contents)})

    def without(self, keyword: str) -> Draft:
        """Return the instance without one attribute."""
        tag = encoding.tag_of(keyword)
        return replace(self, elements={each: value for each, value in self.elements.items() if each != tag})

    def as_instance(self, sop_instance_uid: str) -> Draft:
        """Return the instance under another SOP Instance UID, in the data set and in the request for it."""
        return replace(self.saying({"SOPInstanceUID": sop_instance_uid}), sop_instance_uid=sop_instance_uid)

    def as_class(self, sop_class_uid: str) -> Draft:
        """Return the instance under another SOP Class UID, in the data set and in the request for it."""
        return replace(self.saying({"SOPClassUID": sop_class_uid}), sop_class_uid=sop_class_uid)

    def with_half_its_pixels(self) -> Draft:
        """Return the instance with half of its native samples, or of an encapsulated picture the offset table alone."""
        return replace(self, pixel_data=self.encoding.half(self.pixel_data))

    def data_set(self) -> bytes:
        """Return the whole data set, in ascending order of tags (PS3.5 7.1)."""
        return encoding.joined(self.elements, self.pixel_data)

    def _with(self, elements: Mapping[int, bytes]) -> Draft:
        return replace(self, elements=MappingProxyType({**self.elements, **elements}))


def _bytes(value: str | bytes) -> bytes:
    return value.encode("ascii") if isinstance(value, str) else value
