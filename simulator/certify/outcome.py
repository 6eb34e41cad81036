"""What a session came to: one model for the screen, the HTML and PDF report, JSON and JUnit."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from simulator.certify.cards import Card

SCHEMA = "ha-dicom-gateway-simulator/certification/1"

TestVerdict = Literal["error", "fail", "inconclusive", "not-tested", "skipped", "waived", "not-applicable", "pass"]
"""Worst first. not-tested: it was not reached. skipped: by a person, with a reason."""

DISCLAIMER = (
    "This is no DICOM certification; none exists. It says that this facility's systems, configured as written here, "
    "did what is listed here against a reference implementation of the gateway."
)


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_bytes="hex", val_json_bytes="hex")


class CheckOutcome(_Frozen):
    """One check of a test, as `scenario.findings.Finding` has it."""

    check: str
    verdict: Literal["error", "fail", "inconclusive", "waived", "not-applicable", "pass"]
    expected: Any
    observed: Any
    because: str


class ContextSeen(_Frozen):
    """A presentation context (PS3.8 9.3.2.2): proposed on which link, how it was answered, whether it is needed."""

    link: str
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...] = ()
    answer: str
    accepted: bool
    needed: bool


class Step(_Frozen):
    """Something that was seen: when (ISO 8601, UTC), by whom, in words."""

    at: str
    observer: str
    text: str


class Attestation(_Frozen):
    """What a person said that nobody could observe."""

    question: str
    answer: Literal["yes", "no"]
    name: str
    at: str


class Waived(_Frozen):
    """Why a test need not pass."""

    owner: str
    reason: str
    expires: date


class TestOutcome(_Frozen):
    """One test of the session. why: that it does not apply, or was skipped. attempts: how often it was run."""

    id: str
    title: str
    level: Literal["must", "should"]
    verifies: tuple[str, ...] = ()
    verdict: TestVerdict
    why: str = ""
    attempts: int = 0
    seconds: float = 0.0
    checks: tuple[CheckOutcome, ...] = ()
    cards: tuple[Card, ...] = ()
    contexts: tuple[ContextSeen, ...] = ()
    notes: tuple[str, ...] = ()
    attestation: Attestation | None = None
    waiver: Waived | None = None
    steps: tuple[Step, ...] = ()
    captures: tuple[str, ...] = Field(
        default=(), description="Files of the evidence, relative to the session's folder."
    )
    pictures: tuple[str, ...] = Field(default=(), description="Thumbnails (PNG), relative to the session's folder.")


class SystemSeen(_Frozen):
    """A system as it was declared, and as it showed itself on the wire (PS3.7 D.3.3.2), as SCU and as SCP."""

    name: str
    ae_title: str
    address: str
    does: tuple[str, ...]
    implementation_class_uid: str = ""
    implementation_version_name: str = ""
    scp_implementation_class_uid: str = ""
    scp_implementation_version_name: str = ""

    def implementations(self) -> tuple[str, ...]:
        """Return how it showed itself, each different way once."""
        shown = (
            (self.implementation_class_uid, self.implementation_version_name),
            (self.scp_implementation_class_uid, self.scp_implementation_version_name),
        )
        return tuple(dict.fromkeys(f"{uid} ({name})" if name else uid for uid, name in shown if uid))


class Fingerprint(_Frozen):
    """What the outcome stands on: once something in it changes, the certificate is stale. digest: of all of it."""

    gateway: str
    systems: tuple[SystemSeen, ...]
    site_profile: str
    tool_version: str
    seed: int
    digest: str


class SessionOutcome(_Frozen):
    """A session: the answer, what counts against it, and every test.

    against: a sentence for each thing that stands in the way of yes. changed: since the last complete pass.
    """

    schema_: str = Field(default=SCHEMA, alias="schema")
    facility: str
    started: str
    reported: str
    certifiable: bool
    against: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    rehearsal: str = Field(default="", description="Who played the facility; empty where it was the facility itself.")
    fingerprint: Fingerprint
    preflight: tuple[TestOutcome, ...] = ()
    tests: tuple[TestOutcome, ...]
    disclaimer: str = DISCLAIMER
    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, ser_json_bytes="hex", val_json_bytes="hex"
    )
