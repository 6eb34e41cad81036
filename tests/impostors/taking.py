"""Wrong gateways that take what they should refuse, refuse what they should take, or lose a part of it."""

from __future__ import annotations

import dataclasses
import threading
from io import BytesIO
from pathlib import Path

from pydicom import dcmread

from simulator import site as profile
from simulator.gateway.server import Gateway
from simulator.gateway.steps import Received, Refused
from simulator.rules.image_count import ImageCountRule
from simulator.site import Site
from simulator.wire.association import Response, StoreRequest
from tests.impostors.caught import Caught


class DropsPrivateAttributes(Gateway):
    """Writes into its files what it knows, and private attributes it does not know."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        write = self.store.write

        def public(study_instance_uid: str, sop_instance_uid: str, *pieces: bytes | memoryview, part: object) -> str:
            instance, file = dcmread(BytesIO(b"".join(pieces))), BytesIO()
            instance.remove_private_tags()
            instance.save_as(file)
            return write(study_instance_uid, sop_instance_uid, file.getvalue())

        self.store.write = public  # type: ignore[assignment]

    def begin(self, request: StoreRequest) -> None:
        """Write nothing before all of it is there."""


class GivesOneStatusForAll(Gateway):
    """Refuses what it must, and always with C000: it does not say what was wrong."""

    def _take(self, request: StoreRequest) -> Refused | None:
        refused = super()._take(request)
        return refused and dataclasses.replace(refused, response=Response(0xC000, "cannot understand"))


class KnowsTheSlidesClassesAlone(Gateway):
    """Takes the classes of the slide's table, and none that the site has added."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(profile.overridden(site, {"sop_classes": "seed"}), data)


class DoesNotReadTheSlide(Gateway):
    """Knows Digital X-Ray For Processing by the UID of the standard, also where a site holds to the slide's print."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(profile.overridden(site, {"dx_processing_uid": "as-standard"}), data)


class CountsPerAssociation(Gateway):
    """Holds to the limit of images over one association, and begins anew with the next."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        self._counted: dict[tuple[threading.Thread, str], int] = {}
        self.index.ever_held = self._over_this_association  # type: ignore[method-assign]

    def _over_this_association(self, study_instance_uid: str) -> int:
        # No association's thread looks at the study as a whole.
        return self._counted.get((threading.current_thread(), study_instance_uid), 0)

    def _keep(self, received: Received) -> None:
        super()._keep(received)
        here = threading.current_thread(), received.header.study_instance_uid
        self._counted[here] = self._counted.get(here, 0) + 1


class RejectsAt1000(Gateway):
    """Refuses the image that reaches the limit, in place of the one that exceeds it."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)

        def admits(rule: ImageCountRule, distinct_instances: int) -> bool:
            return not (rule.reject and distinct_instances >= rule.limit)

        ImageCountRule.admits = admits  # type: ignore[assignment,method-assign]


class TakesAnAssociationForAStudy(Gateway):
    """Answers 0000, and keeps of a study what came over the first association alone."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        self._first: dict[str, threading.Thread] = {}

    def _keep(self, received: Received) -> None:
        here = threading.current_thread()
        if self._first.setdefault(received.header.study_instance_uid, here) is here:
            super()._keep(received)


class RefusesWhatItHolds(Gateway):
    """Refuses an instance that it holds already, also where it is the same to the byte."""

    def _take(self, request: StoreRequest) -> Refused | None:
        if self.index.instance(request.sop_instance_uid) is not None:
            return Refused(request, Response(0xC001, "it is held already"), None)
        return super()._take(request)


class GivesUpOnWhoIsSlow(Gateway):
    """Waits one second for whatever is to come next."""

    def __init__(self, site: Site, data: Path) -> None:
        limits = {"pdu": 1, "dimse": 1, "idle": 1}
        super().__init__(profile.overridden(site, {"gateway": {"time_outs": limits}}), data)


CAUGHT: tuple[Caught, ...] = (
    Caught(
        "does-not-read-the-slide",
        DoesNotReadTheSlide,
        "digital-x-ray-as-printed[as-printed]",
        {
            "wire.associations.dx.contexts": (
                ["ImplicitVRLittleEndian", "abstract-syntax-not-supported"],
                ["ImplicitVRLittleEndian", "ImplicitVRLittleEndian"],
            )
        },
    ),
    Caught(
        "drops-private-attributes",
        DropsPrivateAttributes,
        "empty-and-unknown-attributes[private]",
        {
            "gateway.studies.study.originals": ("identical", "changed"),
            "downstream.studies.study.data_set": ("identical", "changed"),
        },
    ),
    Caught(
        "gives-one-status-for-all",
        GivesOneStatusForAll,
        "malformed-instances[truncated-pixel-data]",
        {
            "wire.studies.study.answers": ({"A900": 3}, {"C000": 3}),
            "wire.studies.study.error_comments": (
                {"A900": "Pixel Data (7FE0,0010) has 16384 bytes, needs 32768"},
                {"A900": ""},
            ),
        },
    ),
    Caught(
        "knows-the-slides-classes-alone",
        KnowsTheSlidesClassesAlone,
        "every-extended-sop-class[SecondaryCaptureImageStorage-OT]",
        {
            "wire.studies.study.answers": ({"0000": 9}, {}),
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
        "counts-per-association",
        CountsPerAssociation,
        "images-of-a-study[one-too-many-over-two-associations]",
        {
            "wire.studies.study.answers": ({"0000": 4, "A700": 1}, {"0000": 5}),
            "gateway.studies.study.state": ("rejected", "forwarded"),
            "gateway.studies.study.reasons": (["image-count.exceeded"], []),
            "gateway.studies.study.instances": (4, 5),
            "gateway.studies.study.refused": (1, 0),
            "gateway.studies.study.files": (4, 5),
            "downstream.studies.study.instances": (0, 5),
        },
    ),
    Caught(
        "rejects-at-1000",
        RejectsAt1000,
        "over-1000-images[1000-reject]",
        {
            "wire.studies.study.answers": ({"0000": 1000}, {"0000": 999, "A700": 1}),
            "gateway.studies.study.state": ("forwarded", "rejected"),
            "gateway.studies.study.reasons": ([], ["image-count.exceeded"]),
            "gateway.studies.study.instances": (1000, 999),
            "gateway.studies.study.refused": (0, 1),
            "gateway.studies.study.files": (1000, 999),
            "downstream.studies.study.instances": (1000, 0),
            "downstream.studies.study.pixel_data": ("identical", "nothing arrived"),
        },
    ),
    Caught(
        "takes-an-association-for-a-study",
        TakesAnAssociationForAStudy,
        "several-at-once[one-association-for-each-image]",
        {
            "gateway.studies.head.instances": (6, 1),
            "gateway.studies.head.files": (6, 1),
            "gateway.studies.chest.instances": (4, 1),
            "gateway.studies.chest.files": (4, 1),
            "downstream.studies.head.instances": (6, 1),
            "downstream.studies.chest.instances": (4, 1),
        },
    ),
    Caught(
        "refuses-what-it-holds",
        RefusesWhatItHolds,
        "modality-dies[connection-closed]",
        {"wire.studies.study.answers": ({"0000": 7}, {"0000": 5, "C001": 2})},
    ),
    Caught(
        "gives-up-on-who-is-slow",
        GivesUpOnWhoIsSlow,
        "slow-peers[a-modality-that-pauses]",
        {
            "wire.studies.study.answers": ({"0000": 4}, {"0000": 2}),
            "gateway.studies.study.instances": (4, 2),
            "downstream.studies.study.instances": (4, 2),
        },
    ),
)
