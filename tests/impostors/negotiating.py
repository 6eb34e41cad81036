"""Wrong gateways that answer presentation contexts wrongly, or do not hold to what was agreed."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from pynetdicom import acse
from pynetdicom.dimse import DIMSEServiceProvider

from simulator.gateway.server import Gateway
from simulator.site import Site
from simulator.wire.association import Response, StoreRequest
from simulator.wire.data_set import IMPLICIT_VR_LITTLE_ENDIAN
from tests.impostors.caught import Caught


class AnswersTheFirstContextsAlone(Gateway):
    """Has room for 32 presentation contexts, and refuses the rest."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        library: Any = acse
        negotiate = library.negotiate_as_acceptor

        def few(proposed: Any, *others: Any) -> Any:
            answered, roles = negotiate(proposed, *others)
            for context in answered[32:]:
                context.result = 2
            return answered, roles

        library.negotiate_as_acceptor = few


class AnswersAsLongAsItLikes(Gateway):
    """Does not look at how long a P-DATA-TF its modality takes."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        DIMSEServiceProvider.maximum_pdu_size = property(lambda self: 0)  # type: ignore[assignment]


class ReadsEverythingInOneTransferSyntax(Gateway):
    """Accepts one transfer syntax of a context, and reads what comes in it in the default one."""

    def take(self, request: StoreRequest) -> Response:
        return super().take(dataclasses.replace(request, transfer_syntax_uid=IMPLICIT_VR_LITTLE_ENDIAN))


CAUGHT: tuple[Caught, ...] = (
    Caught(
        "answers-the-first-contexts-alone",
        AnswersTheFirstContextsAlone,
        "presentation-contexts[128]",
        {"wire.associations.ct.accepted": (128, 32)},
    ),
    Caught(
        "answers-as-long-as-it-likes",
        AnswersAsLongAsItLikes,
        "maximum-length[64]",
        {
            "wire.associations.asking.longest_pdu": ("within", "beyond"),
            "wire.associations.sending.longest_pdu": ("within", "beyond"),
        },
    ),
    Caught(
        "reads-everything-in-one-transfer-syntax",
        ReadsEverythingInOneTransferSyntax,
        "several-transfer-syntaxes[ExplicitVRLittleEndian]",
        {
            "wire.studies.study.answers": ({"0000": 2}, {"C000": 2}),
            "gateway.studies.study.state": ("forwarded", None),
            "gateway.studies.study.instances": (2, 0),
            "gateway.studies.study.originals": ("identical", "no file"),
            "downstream.studies.study.instances": (2, 0),
            "downstream.studies.study.pixel_data": ("identical", "nothing arrived"),
            "downstream.studies.study.data_set": ("identical", "nothing arrived"),
            "downstream.studies.study.transfer_syntax": ("identical", "nothing arrived"),
        },
    ),
)
