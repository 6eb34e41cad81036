"""The slide "No. of Image Policy": 1000 images a study.

The slide recommends the limit today and announces that more than 1000 will be rejected "in coming future",
so which of the two holds is a setting. It does not say what an image is: here it is a distinct SOP instance,
as DICOM stores and sends them. A multi-frame instance counts once, and an instance sent twice counts once.
"""

from __future__ import annotations

from dataclasses import dataclass

EXCEEDED = "image-count.exceeded"


@dataclass(frozen=True, slots=True)
class ImageCountRule:
    """The limit, and whether a study beyond it is rejected or only warned about."""

    limit: int = 1000
    reject: bool = False

    def admits(self, distinct_instances: int) -> bool:
        """Tell whether one study may have this many distinct SOP instances."""
        return not (self.reject and self._is_exceeded(distinct_instances))

    def warnings(self, distinct_instances: int) -> tuple[str, ...]:
        """Return the reason to report with a study of this many instances, whatever the mode."""
        return (EXCEEDED,) if self._is_exceeded(distinct_instances) else ()

    def _is_exceeded(self, distinct_instances: int) -> bool:
        return distinct_instances > self.limit
