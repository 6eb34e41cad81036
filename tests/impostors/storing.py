"""Wrong gateways that do not keep what they were sent, or not as they say."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

from simulator import site as profile
from simulator.events import StudyPurged
from simulator.gateway.server import Gateway
from simulator.gateway.steps import Matched, Received, Unmatched, Verdict
from simulator.gateway.store import Part
from simulator.site import Site
from simulator.wire.association import Response, StoreRequest
from tests.impostors.caught import Caught


class AcknowledgesWithoutStoring(Gateway):
    """Answers 0000, indexes the instance and tells of it; only the file is missing."""

    def _keep(self, received: Received) -> None:
        write = self.store.write

        def unwritten(*pieces: Any, part: Part | None = None) -> str:
            name = write(*pieces, part=part)
            (self.data / "instances" / name).unlink()
            return name

        self.store.write = unwritten  # type: ignore[assignment,method-assign]
        super()._keep(received)
        self.store.write = write  # type: ignore[method-assign]

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        self.data = data


class DropsAfterAcknowledging(Gateway):
    """Answers 0000 and does nothing at all."""

    def take(self, request: StoreRequest) -> Response:
        return Response(0x0000)


class CannotTakeHardcopy(Gateway):
    """Accepts the Hardcopy contexts and then fails to understand what comes, as a library without them does."""

    def take(self, request: StoreRequest) -> Response:
        if request.sop_class_uid.startswith("1.2.840.10008.5.1.1."):
            return Response(0xC000, "cannot understand")
        return super().take(request)


class IgnoresTheImageLimit(Gateway):
    """Takes any number of images, whatever the site says."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(profile.overridden(site, {"image_limit": {"limit": 10**9}}), data)


class WarnsOfNothing(Gateway):
    """Takes a study over the recommended size without a word."""

    def policy(self, outcome: Matched | Unmatched) -> Verdict:
        return dataclasses.replace(super().policy(outcome), warnings=())


class AcknowledgesBeforeWriting(Gateway):
    """Answers 0000 at once, and writes what it took when it is asked to stop."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        self.unwritten: list[StoreRequest] = []

    def take(self, request: StoreRequest) -> Response:
        self.unwritten.append(dataclasses.replace(request, data_set=bytes(request.data_set)))
        return Response(0x0000)

    def begin(self, request: StoreRequest) -> None:
        """Write nothing yet."""

    def _finish(self) -> None:
        for request in self.unwritten:
            super().take(request)
        super()._finish()


class StoresDuplicatesTwice(Gateway):
    """Answers 0000 to an instance that it holds already, and keeps a second file of it."""

    def take(self, request: StoreRequest) -> Response:
        held = self.index.instance(request.sop_instance_uid)
        response = super().take(request)
        if held is not None and response.stored:
            file = self.data / "instances" / held.file
            file.with_suffix(".again.dcm").write_bytes(file.read_bytes())
        return response

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        self.data = data


class SaysYesToOtherContent(Gateway):
    """Answers 0000 to other content under a UID that it holds, and keeps the first."""

    def take(self, request: StoreRequest) -> Response:
        response = super().take(request)
        return Response(0x0000) if response.status == 0xC001 else response


class PurgesWhatIsUnmatched(Gateway):
    """Has its retention time begin when a study is unmatched, too."""

    def decide(self, study_instance_uid: str) -> None:
        super().decide(study_instance_uid)
        study = self.index.study(study_instance_uid)
        if study is not None and study.state == "unmatched":
            self.index.change_study(dataclasses.replace(study, state="forwarded"), _nothing(study_instance_uid))
            self.retention.begin(study_instance_uid)


class FillsTheDisk(Gateway):
    """Takes instances as long as a byte is left."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(profile.overridden(site, {"storage": {"keep_free": 0}}), data)


class DiesAtTheEnd(Gateway):
    """Does everything right and then ends with an error."""

    def _finish(self) -> None:
        super()._finish()
        sys.stderr.flush()
        raise SystemExit(70)


def _nothing(study_instance_uid: str) -> StudyPurged:
    return StudyPurged(observer="gateway", study_instance_uid=study_instance_uid, instances=0)


CAUGHT = (
    Caught(
        "acknowledges-without-storing",
        AcknowledgesWithoutStoring,
        "unmatched[hkid]",
        {"gateway.studies.study.files": (2, 0)},
    ),
    Caught(
        "drops-after-acknowledging",
        DropsAfterAcknowledging,
        "unmatched[sex]",
        {
            "gateway.studies.study.state": ("unmatched", None),
            "gateway.studies.study.states": (["receiving", "unmatched"], []),
            "gateway.studies.study.reasons": (["sex.mismatch"], None),
            "gateway.studies.study.instances": (2, 0),
            "gateway.studies.study.files": (2, 0),
        },
    ),
    Caught(
        "cannot-take-hardcopy",
        CannotTakeHardcopy,
        "every-sop-class[HardcopyColorImageStorage-HC]",
        {
            "wire.studies.study.answers": ({"0000": 9}, {"C000": 9}),
            "gateway.studies.study.state": ("forwarded", None),
            "gateway.studies.study.reasons": ([], None),
            "gateway.studies.study.instances": (9, 0),
            "gateway.studies.study.files": (9, 0),
            "downstream.studies.study.instances": (9, 0),
            "downstream.studies.study.pixel_data": ("identical", "nothing arrived"),
            "downstream.studies.study.transfer_syntax": ("identical", "nothing arrived"),
        },
    ),
    Caught(
        "ignores-the-image-limit",
        IgnoresTheImageLimit,
        "over-1000-images[1001-reject]",
        {
            "wire.studies.study.answers": ({"0000": 1000, "A700": 1}, {"0000": 1001}),
            "wire.studies.study.error_comments": ({"A700": "more than 1000 images"}, {"A700": ""}),
            "gateway.studies.study.state": ("rejected", "forwarded"),
            "gateway.studies.study.reasons": (["image-count.exceeded"], []),
            "gateway.studies.study.instances": (1000, 1001),
            "gateway.studies.study.refused": (1, 0),
            "gateway.studies.study.files": (1000, 1001),
            "downstream.studies.study.instances": (0, 1001),
        },
    ),
    Caught(
        "warns-of-nothing",
        WarnsOfNothing,
        "over-1000-images[1001-recommend]",
        {"gateway.studies.study.warnings": (["image-count.exceeded"], [])},
    ),
    Caught(
        "acknowledges-before-writing",
        AcknowledgesBeforeWriting,
        "restart[killed-before-the-study-is-complete]",
        {
            "gateway.studies.study.state": ("forwarded", None),
            "gateway.studies.study.reasons": ([], None),
            "gateway.studies.study.instances": (6, 0),
            "gateway.studies.study.files": (6, 0),
            "downstream.studies.study.instances": (6, 0),
            "downstream.studies.study.pixel_data": ("identical", "nothing arrived"),
        },
    ),
    Caught(
        "stores-duplicates-twice",
        StoresDuplicatesTwice,
        "duplicate-instances[the-same-bytes]",
        {"gateway.studies.study.files": (3, 6)},
    ),
    Caught(
        "says-yes-to-other-content",
        SaysYesToOtherContent,
        "duplicate-instances[other-content]",
        {"wire.studies.study.answers": ({"0000": 3, "C001": 3}, {"0000": 6})},
    ),
    Caught(
        "purges-what-is-unmatched",
        PurgesWhatIsUnmatched,
        "retention[unmatched]",
        {
            "gateway.studies.study.purged": (0, 3),
            "gateway.studies.study.files": (3, 0),
        },
    ),
    Caught(
        "fills-the-disk",
        FillsTheDisk,
        "disk-full[full]",
        {
            "wire.studies.study.answers": ({"A700": 3}, {"0000": 3}),
            "gateway.studies.study.instances": (0, 3),
            "gateway.studies.study.refused": (3, 0),
            "gateway.studies.study.files": (0, 3),
        },
    ),
    Caught("dies-at-the-end", DiesAtTheEnd, "echo", {"gateway.process.exit_code": (0, 70)}),
)
