"""What a request asked, and whether a message is the response to it (PS3.7 9.3 and 10.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pynetdicom.dimse_primitives import C_ECHO, C_STORE, N_ACTION, N_EVENT_REPORT

from simulator.wire import command_set
from simulator.wire.command_set import CommandSet

Request = C_ECHO | C_STORE | N_ACTION | N_EVENT_REPORT


@dataclass(frozen=True, slots=True)
class Asked:
    """What a response must refer to: kind, presentation context and message; and, where it names them, the subject.

    A response need not name its SOP class and instance (PS3.7 9.1.1, 10.1.4), but it may name no others.
    """

    field: int
    context_id: int
    message_id: int | None
    sop_class_uid: str
    sop_instance_uid: str

    @classmethod
    def by(cls, command: CommandSet, context_id: int) -> Asked:
        """Return what a command set asks, of C-STORE or C-ECHO."""
        return cls(
            command.number(command_set.COMMAND_FIELD) or 0,
            context_id,
            command.number(command_set.MESSAGE_ID),
            command.text(command_set.AFFECTED_SOP_CLASS_UID),
            command.text(command_set.AFFECTED_SOP_INSTANCE_UID),
        )

    @classmethod
    def of(cls, request: Request, context_id: int) -> Asked:
        """Return what a message of the library asks."""
        subject = "Requested" if isinstance(request, N_ACTION) else "Affected"
        uids = _uid(request, f"{subject}SOPClassUID"), _uid(request, f"{subject}SOPInstanceUID")
        return cls(_field(request), context_id, request.MessageID, *uids)

    def misses(self, context_id: int | None, message: Any) -> str:
        """Say how a message of the library is not the response; empty where it is."""
        if _field(message) != self.field or message.MessageIDBeingRespondedTo != self.message_id:
            return "another message than the one it was sent"
        if context_id != self.context_id:
            return f"in presentation context {context_id}; it was asked in {self.context_id}"
        if message.Status is None:
            return "without a status"
        return self.differs(_uid(message, "AffectedSOPClassUID"), _uid(message, "AffectedSOPInstanceUID"))

    def differs(self, sop_class_uid: str, sop_instance_uid: str) -> str:
        """Say which other SOP class or instance than it was asked about a response names; empty where none."""
        for told, asked, what in (
            (sop_class_uid, self.sop_class_uid, "SOP class"),
            (sop_instance_uid, self.sop_instance_uid, "SOP instance"),
        ):
            if told and asked and told != asked:
                return f"about another {what} ({told}) than {asked}"
        return ""


def _field(message: Any) -> int:
    """Return the Command Field of the request that a message of the library is, or answers."""
    return command_set.FIELDS.get(f"{type(message).__name__.replace('_', '-')}-RQ", 0)


def _uid(message: Any, keyword: str) -> str:
    return str(getattr(message, keyword, None) or "").rstrip("\0 ")
