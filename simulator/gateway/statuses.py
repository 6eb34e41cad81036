"""Every DIMSE status that the gateway answers, and what it means: the one table that its code and its
conformance statement read.

Nothing else in the gateway makes a `Response`, so a status that is not in the table cannot be answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simulator.site import Site
from simulator.wire.acceptor import SERVICE_FAILED
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
    "The file is complete under its final name and indexed: it survives the end of the process, and a power cut once "
    "it is committed. Also for the same instance again, in whatever transfer syntax, which is not stored twice.",
)
# PS3.4 B.2.3
OUT_OF_RESOURCES: Final = StatusMeaning(
    0xA700,
    "Failure",
    "Refused: Out of Resources",
    "The disk has less room than the site keeps free, or the file system or the index does not take the instance. "
    "Error Comment has the reason.",
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
    "An instance with this SOP Instance UID and other content is held already, or was before it was purged. The "
    "one that is held stays.",
)
# PS3.7 9.1.1.1.9
NOT_AUTHORIZED: Final = StatusMeaning(
    0x0124,
    "Failure",
    "Refused: Not Authorized",
    "The site takes synthetic people alone, and Patient ID is not of one. Nothing of the instance is kept.",
)
# N-ACTION of storage commitment (PS3.7 10.1.4.1.10)
REQUEST_RECEIVED: Final = StatusMeaning(
    0x0000,
    "Success",
    "Success",
    "The request is written down and will be decided and reported; nothing is committed yet.",
)
REQUEST_NOT_KEPT: Final = StatusMeaning(
    0x0110, "Failure", "Processing Failure", "The index does not take the request. Error Comment has the reason."
)
NO_SUCH_INSTANCE: Final = StatusMeaning(
    0x0112, "Failure", "No Such SOP Instance", "Requested SOP Instance UID is not the well-known instance."
)
INVALID_ARGUMENT: Final = StatusMeaning(
    0x0115,
    "Failure",
    "Invalid Argument Value",
    "Transaction UID is missing or no UID; Referenced SOP Sequence has no item, or one without its two UIDs; the "
    "Action Information cannot be read. Error Comment says which.",
)
NO_SUCH_CLASS: Final = StatusMeaning(
    0x0118, "Failure", "No Such SOP Class", "Requested SOP Class UID is not the Storage Commitment Push Model."
)
NO_SUCH_ACTION: Final = StatusMeaning(0x0123, "Failure", "No Such Action", "Action Type ID is not 1.")

# N-EVENT-REPORT of storage commitment, with the gateway as SCU (PS3.7 10.1.1.1.8)
REPORT_TAKEN: Final = StatusMeaning(0x0000, "Success", "Success", "What the destination commits to is written down.")
NO_SUCH_EVENT: Final = StatusMeaning(0x0113, "Failure", "No Such Event Type", "Event Type ID is neither 1 nor 2.")
REPORT_UNREADABLE: Final = StatusMeaning(
    0x0110, "Failure", "Processing Failure", "The Event Information cannot be read. Error Comment says where."
)
REPORT_UNASKED: Final = StatusMeaning(
    0x0115,
    "Failure",
    "Invalid Argument Value",
    "No request is open under the Transaction UID, or another AE was asked under it.",
)

# Failure Reason (0008,1197) in a storage commitment report (PS3.3 C.14.1.1)
NOT_AS_IT_CAME: Final = StatusMeaning(
    0x0110, "Failure", "Processing Failure", "The file cannot be read, or its digest is not the one taken on receipt."
)
NOT_HELD: Final = StatusMeaning(0x0112, "Failure", "No Such Object Instance", "No instance with this UID is held.")
HELD_UNDER_ANOTHER_CLASS: Final = StatusMeaning(
    0x0119, "Failure", "Class/Instance Conflict", "The instance is held, but its SOP class is another one."
)
CLASS_NOT_SUPPORTED: Final = StatusMeaning(
    0x0122, "Failure", "Referenced SOP Class Not Supported", "The site does not take instances of the SOP class."
)
REPEATED_TRANSACTION: Final = StatusMeaning(
    0x0131, "Failure", "Duplicate Transaction UID", "An earlier request came under the same Transaction UID."
)
NO_RESOURCES: Final = StatusMeaning(
    0x0213, "Failure", "Resource Limitation", "The file system has no room to make the instance survive a power cut."
)


def action_statuses() -> tuple[StatusMeaning, ...]:
    """Return every status of an N-ACTION response, in the order of their codes."""
    return (REQUEST_RECEIVED, REQUEST_NOT_KEPT, NO_SUCH_INSTANCE, INVALID_ARGUMENT, NO_SUCH_CLASS, NO_SUCH_ACTION)


def report_statuses() -> tuple[StatusMeaning, ...]:
    """Return every status of an N-EVENT-REPORT response, in the order of their codes."""
    return (REPORT_TAKEN, REPORT_UNREADABLE, NO_SUCH_INSTANCE, NO_SUCH_EVENT, REPORT_UNASKED)


def failure_reasons() -> tuple[StatusMeaning, ...]:
    """Return every Failure Reason of a storage commitment report, in the order of their codes."""
    return (
        NOT_AS_IT_CAME,
        NOT_HELD,
        HELD_UNDER_ANOTHER_CLASS,
        CLASS_NOT_SUPPORTED,
        REPEATED_TRANSACTION,
        NO_RESOURCES,
    )


FAILED: Final = StatusMeaning(
    SERVICE_FAILED,
    "Failure",
    "Error: Cannot Understand",
    "An error of the gateway itself. Its log has the reason; the instance may be sent again.",
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
    always = (
        STORED,
        OUT_OF_RESOURCES,
        DOES_NOT_MATCH_SOP_CLASS,
        CANNOT_UNDERSTAND,
        HELD_WITH_OTHER_CONTENT,
        FAILED,
    )
    limited = (beyond_image_limit(site),) if site.image_limit.mode == "reject" else ()
    restricted = (NOT_AUTHORIZED,) if site.only_hkid_prefixes else ()
    return tuple(sorted((*always, *limited, *restricted), key=lambda status: status.code))
