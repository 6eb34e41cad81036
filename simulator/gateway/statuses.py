"""Every DIMSE status that the gateway answers, and what it means: the one table that its code and its
conformance statement read.

Nothing else in the gateway makes a `Response`, so a status that is not in the table cannot be answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simulator.site import Site
from simulator.wire.association import Response


@dataclass(frozen=True, slots=True)
class StatusMeaning:
    """A status. kind: its class (PS3.7 Annex C). meaning: the standard's words. when: the gateway answers it."""

    code: int
    kind: str
    meaning: str
    when: str

    @property
    def text(self) -> str:
        """The status as the standard prints it: four hexadecimal digits."""
        return f"{self.code:04X}"

    def response(self, error_comment: str = "") -> Response:
        """Return the response with this status; of the comment the peer gets 64 characters."""
        return Response(self.code, error_comment)


STORED: Final = StatusMeaning(
    0x0000,
    "Success",
    "Success",
    "The file is complete under its final name and indexed: it survives the end of the process, not yet a power cut. "
    "Also for the very same instance again, which is not stored twice.",
)
# PS3.4 B.2.3
OUT_OF_RESOURCES: Final = StatusMeaning(
    0xA700,
    "Failure",
    "Refused: Out of Resources",
    "The file system or the index does not take the instance. Error Comment has the reason.",
)
DOES_NOT_MATCH_SOP_CLASS: Final = StatusMeaning(
    0xA900,
    "Failure",
    "Error: Data Set Does Not Match SOP Class",
    "SOP Class or SOP Instance UID is missing or not that of the command; Study or Series Instance UID is missing or "
    "no UID; Modality is not one that PS3.3 enumerates for the class; Pixel Data is missing or shorter than the Image "
    "Pixel module says. Error Comment names the attribute.",
)
CANNOT_UNDERSTAND: Final = StatusMeaning(
    0xC000,
    "Failure",
    "Error: Cannot Understand",
    "The data set is truncated, garbled or has a value of odd length. Error Comment names the place.",
)
HELD_WITH_OTHER_CONTENT: Final = StatusMeaning(
    0xC001,
    "Failure",
    "Error: Cannot Understand",
    "An instance with this SOP Instance UID and other content is held already. The one that is held stays.",
)


def beyond_image_limit(site: Site) -> StatusMeaning:
    """Return what an instance beyond the site's image limit gets (slide: 1000 images a study)."""
    limit = site.image_limit
    code = int(limit.status, 16)
    known = {0xA7: OUT_OF_RESOURCES.meaning, 0xA9: DOES_NOT_MATCH_SOP_CLASS.meaning}
    return StatusMeaning(
        code,
        "Failure",
        known.get(code >> 8, CANNOT_UNDERSTAND.meaning),
        f"The study has {limit.limit} instances already. The study is rejected and nothing of it is forwarded.",
    )


def store_statuses(site: Site) -> tuple[StatusMeaning, ...]:
    """Return every status of a C-STORE response at this site, in the order of their codes."""
    always = (STORED, OUT_OF_RESOURCES, DOES_NOT_MATCH_SOP_CLASS, CANNOT_UNDERSTAND, HELD_WITH_OTHER_CONTENT)
    limited = (beyond_image_limit(site),) if site.image_limit.mode == "reject" else ()
    return tuple(sorted((*always, *limited), key=lambda status: status.code))
