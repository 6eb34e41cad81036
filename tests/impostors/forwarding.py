"""Wrong gateways that do not send on what they should, or not as it came."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from simulator.gateway import by_hand
from simulator.gateway.forward_queue import Dispatch, Selection
from simulator.gateway.rows import InstanceRow
from simulator.gateway.server import Gateway
from simulator.site import Site
from simulator.wire import transcoding
from simulator.wire.association import Association, Outgoing
from tests.impostors.caught import Caught
from tests.impostors.sending import send_all


class AltersAPixel(Gateway):
    """Turns one bit of the last pixel on the way to the remote SCP."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        read = self.store.read

        def altered(name: str) -> bytes:
            file = bytearray(read(name))
            file[-1] ^= 1
            return bytes(file)

        self.store.read = altered  # type: ignore[method-assign]


class LosesTheLastInstance(Gateway):
    """Forwards all of a study but its last instance, and says `forwarded`."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        instances = self.index.instances

        def fewer(study_instance_uid: str) -> tuple[InstanceRow, ...]:
            return instances(study_instance_uid)[:-1]

        self.index.instances = fewer  # type: ignore[method-assign]


class ForwardsAgainAfterARestart(Gateway):
    """Remembers across a restart which studies it matched, and not that it has sent them on."""

    def _resume(self) -> None:
        super()._resume()
        for study in self.index.studies():
            if study.state == "forwarded":
                send_all(self, study.study_instance_uid)


class SendsAllAgain(Gateway):
    """After an association that broke it sends everything again, also what the destination has stored."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        queue, index = self.outbox.queue, self.index

        def everything(dispatch: Dispatch) -> frozenset[str]:
            return frozenset(row.sop_instance_uid for row in index.instances(dispatch.selection.study_instance_uid))

        queue.missing = everything  # type: ignore[method-assign]


class SendsTheWholeStudy(Gateway):
    """Whatever was selected by hand, the whole study goes."""

    def forward(self, selection: Selection, destination: str, who: str) -> Dispatch:
        self.index.record(by_hand.act(selection, destination, who, 0))
        return self.outbox.forward(selection, destination, self.index.instances(selection.study_instance_uid))


class CountsFailuresAsForwarded(Gateway):
    """Takes any answer of a destination for success."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        for line in self.outbox._lines.values():
            send = line._forwarder._send

            def careless(association: Association, row: InstanceRow, send: Any = send) -> str:
                send(association, row)
                return ""

            line._forwarder._send = careless  # type: ignore[method-assign]


class AltersAPixelWhenTranscoding(Gateway):
    """Turns one bit of the last pixel where it decompresses, and nowhere else."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        transcoded = transcoding.transcoded

        def altered(held: Outgoing, transfer_syntax_uid: str) -> Outgoing:
            made = transcoded(held, transfer_syntax_uid)
            return dataclasses.replace(
                made, data_set=made.data_set[:-2] + bytes([made.data_set[-2] ^ 1, made.data_set[-1]])
            )

        transcoding.transcoded = altered


class ServesDestinationsInTurn(Gateway):
    """Sends nothing to a destination while another one lacks something."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        queue = self.outbox.queue
        following = queue.next

        def in_turn(destination: str) -> Dispatch | None:
            first = site.forwarding.destinations[0].ae_title
            return following(destination) if destination == first or following(first) is None else None

        queue.next = in_turn  # type: ignore[method-assign]


class ForwardsWhatIsUnmatchedByHand(Gateway):
    """Does by hand whatever it is asked."""

    def forward(self, selection: Selection, destination: str, who: str) -> Dispatch:
        send_all(self, selection.study_instance_uid)
        return self.outbox.forward(selection, destination, self.index.instances(selection.study_instance_uid))


CAUGHT = (
    Caught(
        "alters-a-pixel",
        AltersAPixel,
        "every-sop-class[MRImageStorage-MR]",
        {"downstream.studies.study.pixel_data": ("identical", "changed")},
    ),
    Caught(
        "loses-the-last-instance",
        LosesTheLastInstance,
        "matched[ORM^O01]",
        {"downstream.studies.study.instances": (5, 4)},
    ),
    Caught(
        "forwards-again-after-a-restart",
        ForwardsAgainAfterARestart,
        "restart[stopped-after-forwarding]",
        {"downstream.studies.study.repeated": (0, 6)},
    ),
    Caught(
        "sends-all-again",
        SendsAllAgain,
        "destination-down[aborts-in-the-middle]",
        {
            "gateway.studies.study.destinations.remote1.missing": (0, 5),
            "downstream.studies.study.repeated": (1, 3),
        },
    ),
    Caught(
        "sends-the-whole-study",
        SendsTheWholeStudy,
        "forward-levels[series-by-hand]",
        {"downstream.remotes.remote2.studies.study.instances": (2, 6)},
    ),
    Caught(
        "counts-failures-as-forwarded",
        CountsFailuresAsForwarded,
        "destination-down[out-of-resources-for-ever]",
        {
            "gateway.studies.study.states": (
                ["receiving", "matched", "forwarding", "failed"],
                ["receiving", "matched", "forwarding", "forwarded"],
            ),
            "gateway.studies.study.destinations.remote1.state": ("failed", "done"),
            "gateway.studies.study.destinations.remote1.attempts": (3, 1),
            "gateway.studies.study.destinations.remote1.problem": ("answered A700", ""),
            "downstream.studies.study.repeated": (10, 0),
        },
    ),
    Caught(
        "alters-a-pixel-when-transcoding",
        AltersAPixelWhenTranscoding,
        "transcoding[JPEGLSLossless]",
        {
            "downstream.remotes.explicit.studies.study.pixel_values": ("identical", "changed"),
            "downstream.remotes.implicit.studies.study.pixel_values": ("identical", "changed"),
        },
    ),
    Caught(
        "serves-destinations-in-turn",
        ServesDestinationsInTurn,
        "destination-down[down-while-the-other-is-up]",
        {
            "gateway.studies.study.destinations.remote2.state": ("done", "waiting"),
            "gateway.studies.study.destinations.remote2.missing": (0, 5),
            "downstream.remotes.remote2.studies.study.instances": (5, 0),
            "downstream.remotes.remote2.studies.study.pixel_data": ("identical", "nothing arrived"),
        },
    ),
    Caught(
        "forwards-what-is-unmatched-by-hand",
        ForwardsWhatIsUnmatchedByHand,
        "forward-levels[unmatched-by-hand]",
        {"when.2.forward": ("refused", "queued"), "downstream.studies.study.instances": (0, 6)},
    ),
    Caught(
        "counts-failures-as-forwarded",
        CountsFailuresAsForwarded,
        "destination-answers-a-failure[A700-out of resources]",
        {
            "gateway.studies.study.state": ("failed", "forwarded"),
            "gateway.studies.study.destinations.pacs.state": ("failed", "done"),
            "gateway.studies.study.destinations.pacs.problem": ("out of resources", ""),
        },
    ),
    Caught(
        "sends-all-again",
        SendsAllAgain,
        "destination-breaks-off[request]",
        {"gateway.studies.study.destinations.pacs.missing": (0, 4), "downstream.studies.study.repeated": (0, 1)},
    ),
)
