"""Sessions to report on: a clean pass, and one with three cards."""

from __future__ import annotations

import io
from datetime import date

from PIL import Image

from simulator.certify.cards import Card, Evidence
from simulator.certify.outcome import (
    Attestation,
    CheckOutcome,
    Fingerprint,
    SessionOutcome,
    Step,
    SystemSeen,
    TestOutcome,
    Waived,
)
from simulator.synthesis.people import Person

CHAN = Person("Q1234563", "CHAN^TAI MAN", "19700305", "M", "陳^大文", "陈^大文")
ACCESSION = "SYNCT2400000101H"
PICTURE = "pictures/ct01-study-1.png"

STANDS_ON = Fingerprint(
    gateway="HAGATEWAY at 10.1.2.9, DICOM 11112, HL7 2575",
    systems=(
        SystemSeen(
            name="CT01",
            ae_title="HIC_CT01",
            address="10.1.2.3:104",
            does=("sends", "commitment"),
            implementation_class_uid="1.2.276.0.7230010.3.0.3.6.7",
            implementation_version_name="OFFIS_DCMTK_367",
        ),
        SystemSeen(name="PACS", ae_title="HIC_PACS", address="10.1.2.4:11113", does=("receives",)),
    ),
    site_profile="default",
    tool_version="0.1.0",
    seed=20261123,
    digest="8c1f0a6e5d7b4c3f9a2e1d0c8b7a695847362514039281706f5e4d3c2b1a0f9e",
)


def png() -> bytes:
    target = io.BytesIO()
    Image.effect_mandelbrot((160, 120), (-2.5, -1.5, 1.0, 1.5), 60).save(target, "PNG")
    return target.getvalue()


def association_request(called: bytes = b"HAGATEWAY1", calling: bytes = b"HIC_CT01") -> bytes:
    """Return the beginning of an A-ASSOCIATE-RQ (PS3.8 9.3.2), with its application context."""
    context = b"1.2.840.10008.3.1.1.1"
    body = b"\x00\x01\x00\x00" + called.ljust(16) + calling.ljust(16) + bytes(32)
    body += b"\x10\x00" + len(context).to_bytes(2, "big") + context
    return b"\x01\x00" + len(body).to_bytes(4, "big") + body


WRONG_CALLED_AE_TITLE = Card(
    id="association.called-ae-title",
    level="must",
    where="association",
    requirement=("SCP-1",),
    title="CT01 calls an AE title that is not the gateway's",
    expected="HAGATEWAY",
    got="HAGATEWAY1",
    because="The called AE title in the A-ASSOCIATE-RQ is not the one that the gateway answers to. It rejects the "
    "association: result 1 (rejected permanent), source 1 (service user), reason 7 (called AE title not recognised).",
    who="PACS administrator",
    screen="CT01: network configuration, DICOM destinations, HA gateway, AE title",
    prove="simulate certify run --session reports/certify-hic --test ct01-echo",
    evidence=(Evidence("called AE title", "captures/ct01-study.pcap", 0, association_request(), ((10, 26),)),),
)
PARENTHESES = Card(
    id="identity.hkid-parentheses",
    level="must",
    where="identity",
    requirement=("ID-1", "not-in-the-register"),
    title="The HKID is sent with the card's parentheses",
    expected="Q1234563",
    got="Q123456(3)",
    because="Patient ID (0010,0020) of CHAN^TAI MAN, born 19700305, has parentheses around its check character.",
    who="RIS vendor",
    screen="RIS: patient registration, identifier format",
    prove="simulate certify run --session reports/certify-hic --test ct01-study",
    evidence=(
        Evidence(
            "Patient ID (0010,0020)",
            "captures/ct01-study.pcap",
            4242,
            b"\x10\x00\x10\x00PN\x0c\x00CHAN^TAI MAN\x10\x00\x20\x00LO\x0a\x00Q123456(3)"
            b"\x10\x00\x30\x00DA\x08\x0019700305",
            ((35, 36), (37, 38)),
        ),
    ),
)
ONE_ASSOCIATION_PER_IMAGE = Card(
    id="association.one-per-image",
    level="should",
    where="association",
    requirement=(),
    title="CT01 opens an association for each image",
    expected="one association for the study",
    got="120 associations for 120 images",
    because="It works, and it is slow.",
    who="Modality vendor",
    screen="CT01: service menu, DICOM transfer, keep association open",
    prove="simulate certify run --session reports/certify-hic --test ct01-study",
)


def passed(name: str, title: str) -> TestOutcome:
    return TestOutcome(
        id=name,
        title=title,
        level="must",
        verifies=("SCP-1", "SCP-2"),
        verdict="pass",
        attempts=1,
        seconds=12.3,
        checks=(
            CheckOutcome(
                check="wire.studies.study.answers",
                verdict="pass",
                expected={"0000": 12},
                observed={"0000": 12},
                because="every C-STORE-RQ was answered with success",
            ),
        ),
        steps=(
            Step(at="2026-11-23T01:15:00.000000Z", observer="simulator", text=f"order {ACCESSION} sent, AA"),
            Step(at="2026-11-23T01:16:12.250000Z", observer="CT01", text="association accepted, 12 instances stored"),
        ),
        captures=(f"captures/{name}.pcap",),
    )


PREFLIGHT = (
    passed("preflight-names", "Every host has an address"),
    passed("preflight-echo", "Verification both ways"),
)


def clean() -> SessionOutcome:
    """Return the outcome of a session without a fault: one waiver, one test that does not apply."""
    study = passed("ct01-study", "CT01 sends a study that agrees with its order")
    waiver = Waived(owner="Dr Ho, radiology", reason="CT01 is replaced in March", expires=date(2027, 3, 31))
    tests = (
        study.model_copy(update={"pictures": (PICTURE, "pictures/lost.png")}),
        passed("pacs-receive", "PACS receives a study").model_copy(
            update={
                "attestation": Attestation(
                    question="Does PACS show the study?",
                    answer="yes",
                    name="Lee Siu Fong",
                    at="2026-11-23T01:20:00.000000Z",
                )
            }
        ),
        TestOutcome(id="ct01-1001", title="1001 images", level="must", verdict="waived", why="waived", waiver=waiver),
        TestOutcome(
            id="tls", title="DICOM over TLS", level="must", verdict="not-applicable", why="no system speaks TLS"
        ),
    )
    return SessionOutcome(
        facility="Harbour Imaging Centre 港灣造影中心",
        started="2026-11-23T01:10:00.000000Z",
        reported="2026-11-23T02:30:00.000000Z",
        certifiable=True,
        changed=("CT01: implementation version name was OFFIS_DCMTK_366, and is OFFIS_DCMTK_367",),
        fingerprint=STANDS_ON,
        preflight=PREFLIGHT,
        tests=tests,
    )


def failing() -> SessionOutcome:
    """Return the outcome of a session in which two tests failed, with three cards, and two were not run."""
    unsent = TestOutcome(
        id="ct01-echo",
        title="CT01 asks the gateway for Verification",
        level="must",
        verdict="fail",
        attempts=2,
        seconds=301.0,
        checks=(
            CheckOutcome(
                check="wire.echo.status",
                verdict="fail",
                expected="0000",
                observed=None,
                because="no C-ECHO-RQ arrived: every association was rejected",
            ),
        ),
        cards=(WRONG_CALLED_AE_TITLE,),
        notes=("The vendor was called, ticket 4711.",),
        captures=("captures/ct01-echo.pcap",),
    )
    parentheses = passed("ct01-study", "CT01 sends a study that agrees with its order").model_copy(
        update={
            "verdict": "fail",
            "cards": (PARENTHESES, ONE_ASSOCIATION_PER_IMAGE),
            "checks": (
                CheckOutcome(
                    check="gateway.studies.study.reasons",
                    verdict="fail",
                    expected=[],
                    observed=["hkid.invalid"],
                    because="the study of CHAN^TAI MAN, Q123456(3), was held as unmatched",
                ),
            ),
            "pictures": (PICTURE,),
        }
    )
    tests = (
        unsent,
        parentheses,
        TestOutcome(
            id="ct01-commitment",
            title="The gateway commits to the study of CT01",
            level="must",
            verdict="inconclusive",
            attempts=1,
            checks=(
                CheckOutcome(
                    check="wire.commitment",
                    verdict="inconclusive",
                    expected="a report",
                    observed=None,
                    because="nobody could see whether it arrived",
                ),
            ),
        ),
        TestOutcome(
            id="ct01-unmatched",
            title="A study before its order",
            level="must",
            verdict="skipped",
            why="the CT is in use until six",
        ),
        TestOutcome(id="pacs-receive", title="PACS receives a study", level="should", verdict="not-tested"),
    )
    return SessionOutcome(
        facility="Harbour Imaging Centre",
        started="2026-11-23T01:10:00.000000Z",
        reported="2026-11-23T02:30:00.000000Z",
        certifiable=False,
        against=(
            "ct01-echo failed: CT01 calls an AE title that is not the gateway's",
            "ct01-study failed: the HKID of CHAN^TAI MAN is sent with the card's parentheses",
            "ct01-unmatched was skipped: the CT is in use until six",
        ),
        rehearsal="broken:called-ae-title",
        fingerprint=STANDS_ON,
        preflight=PREFLIGHT,
        tests=tests,
    )
