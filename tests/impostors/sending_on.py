"""Wrong gateways that send on too often, to too few, in another form, or that say something else about it."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from simulator.gateway import verification
from simulator.gateway.forwarding import Forwarder
from simulator.gateway.rows import InstanceRow
from simulator.gateway.server import Gateway
from simulator.site import Destination, Site
from simulator.wire import transcoding
from simulator.wire.association import Association, Outgoing
from simulator.wire.data_set import IMPLICIT_VR_LITTLE_ENDIAN
from simulator.wire.hearing import Hearing
from simulator.wire.send_plane import SendPlane
from tests.impostors.caught import Caught

Send = Callable[[Forwarder, Sequence[InstanceRow], Callable[[], bool]], str]


def alter_sending(change: Callable[[Send], Send]) -> None:
    """Have every forwarder of this process send in another way."""
    Forwarder.send = change(Forwarder.send)  # type: ignore[assignment,method-assign]


class SendsAsLongAsItLikes(Gateway):
    """Does not look at how long a P-DATA-TF its destination takes."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        SendPlane._maximum = property(lambda self: 0)  # type: ignore[assignment]


class TakesAnyAnswer(Gateway):
    """Takes a success for its own, whatever it is about."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        Association._expect = lambda self, wrong: None  # type: ignore[method-assign]


class WaitsForTheRestOfAPdu(Gateway):
    """Has patience with a destination that leaves off in the middle of a PDU."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        Hearing.seconds = property(lambda self: 3600.0, lambda self, seconds: None)  # type: ignore[assignment]


class ForwardsTwice(Gateway):
    """Sends everything, and then once more."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        alter_sending(lambda send: lambda line, rows, wanted: send(line, rows, wanted) or send(line, rows, wanted))


class ForwardsToTheFirstDestinationAlone(Gateway):
    """Knows one destination, the first of the site's list."""

    def __init__(self, site: Site, data: Path) -> None:
        first = site.forwarding.model_copy(update={"destinations": site.forwarding.destinations[:1]})
        super().__init__(site.model_copy(update={"forwarding": first}), data)


class ReEncodesPixels(Gateway):
    """Sends in Implicit VR Little Endian whatever it can bring there."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)

        def plain(forwarder: Forwarder, association: Association, held: Outgoing) -> Outgoing:
            return transcoding.transcoded(held, IMPLICIT_VR_LITTLE_ENDIAN)

        Forwarder._acceptable = plain  # type: ignore[assignment,method-assign]


class ForgetsWhyItWasRejected(Gateway):
    """Knows that there was no association, and not which of the two sides must change something."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        alter_sending(lambda send: lambda line, rows, wanted: send(line, rows, wanted) and "there was no association")


class TrustsEveryCertificate(Gateway):
    """Speaks TLS to a destination, and does not ask whose certificate it has."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        for line in self.outbox._lines.values():
            held = line._forwarder._tls
            line._forwarder._tls = held and dataclasses.replace(held, authorities=None)


class SaysThatEveryoneAnswers(Gateway):
    """Says that a destination answered Verification with 0000, without asking it."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)

        def verified(site: Site, destination: Destination) -> verification.EchoAnswer:
            address = f"{destination.ae_title}@{destination.host}:{destination.port}"
            return verification.EchoAnswer(
                destination=destination.ae_title, address=address, status="0000", problem=None
            )

        verification.verify = verified


class ForgetsAfterARestart(Gateway):
    """Begins anew with no order."""

    def __init__(self, site: Site, data: Path) -> None:
        if (data / "index.sqlite").exists():
            with closing(sqlite3.connect(data / "index.sqlite")) as db:
                db.execute("DELETE FROM orders")
                db.commit()
        super().__init__(site, data)


CAUGHT: tuple[Caught, ...] = (
    Caught(
        "forwards-twice",
        ForwardsTwice,
        "matched[ORU^R01]",
        {"downstream.studies.study.repeated": (0, 5)},
    ),
    Caught(
        "forwards-to-the-first-destination-alone",
        ForwardsToTheFirstDestinationAlone,
        "forward-levels[study-by-rule-to-two]",
        {
            "gateway.studies.study.destinations.remote2.state": ("done", None),
            "gateway.studies.study.destinations.remote2.missing": (0, None),
            "downstream.remotes.remote2.studies.study.instances": (6, 0),
            "downstream.remotes.remote2.studies.study.pixel_data": ("identical", "nothing arrived"),
        },
    ),
    Caught(
        "sends-as-long-as-it-likes",
        SendsAsLongAsItLikes,
        "destination-maximum-length[4096]",
        {"downstream.remotes.pacs.longest_pdu": ("within", "beyond")},
    ),
    Caught(
        "takes-any-answer",
        TakesAnyAnswer,
        "destination-answers-wrongly[sop-instance-about another SOP instance]",
        {
            "gateway.studies.study.states": (
                ["receiving", "matched", "forwarding", "failed"],
                ["receiving", "matched", "forwarding", "forwarded"],
            ),
            "gateway.studies.study.destinations.pacs.state": ("failed", "done"),
            "gateway.studies.study.destinations.pacs.missing": (2, 0),
            "gateway.studies.study.destinations.pacs.problem": ("about another SOP instance", ""),
        },
    ),
    Caught(
        "takes-any-answer",
        TakesAnyAnswer,
        "destination-breaks-the-protocol[response-to-verification]",
        {
            "wire.peers.pacs.script": ("complete", "step 5: expected A-ABORT, got A-RELEASE-RQ"),
            "gateway.studies.study.states": (
                ["receiving", "matched", "forwarding", "failed"],
                ["receiving", "matched", "forwarding", "forwarded"],
            ),
            "gateway.studies.study.destinations.pacs.state": ("failed", "done"),
            "gateway.studies.study.destinations.pacs.missing": (1, 0),
            "gateway.studies.study.destinations.pacs.problem": ("another message than the one it was sent", ""),
        },
    ),
    Caught(
        "waits-for-the-rest-of-a-pdu",
        WaitsForTheRestOfAPdu,
        "destination-breaks-the-protocol[half-an-acceptance]",
        {
            "wire.peers.pacs.script": (
                "complete",
                "step 3: expected the end of the connection (any); the peer said nothing more in time",
            ),
            "gateway.studies.study.states": (
                ["receiving", "matched", "forwarding", "failed"],
                ["receiving", "matched", "forwarding"],
            ),
            "gateway.studies.study.destinations.pacs.state": ("failed", "waiting"),
            "gateway.studies.study.destinations.pacs.attempts": (1, 0),
            "gateway.studies.study.destinations.pacs.problem": (
                "the beginning of A-ASSOCIATE-AC announced with 180 bytes",
                "",
            ),
        },
    ),
    Caught(
        "forgets-why-it-was-rejected",
        ForgetsWhyItWasRejected,
        "destination-refuses-contexts[user-rejection]",
        {
            "gateway.studies.study.destinations.pacs.problem": (
                "CT Image Storage (user rejection)",
                "there was no association",
            )
        },
    ),
    Caught(
        "re-encodes-pixels",
        ReEncodesPixels,
        "every-sop-class[CTImageStorage-CT]",
        {
            "downstream.studies.study.pixel_data": ("identical", "changed"),
            "downstream.studies.study.transfer_syntax": ("identical", "changed"),
        },
    ),
    Caught(
        "forgets-why-it-was-rejected",
        ForgetsWhyItWasRejected,
        "destination-rejects[called-ae-title]",
        {
            "gateway.studies.study.destinations.pacs.problem": (
                "called AE title not recognised",
                "there was no association",
            )
        },
    ),
    Caught(
        "trusts-every-certificate",
        TrustsEveryCertificate,
        "tls-to-destination[of-another-ca]",
        {
            "gateway.studies.study.state": ("failed", "forwarded"),
            "gateway.studies.study.destinations.pacs.state": ("failed", "done"),
            "gateway.studies.study.destinations.pacs.missing": (2, 0),
            "gateway.studies.study.destinations.pacs.problem": ("a CA that is not trusted", ""),
            "downstream.studies.study.instances": (0, 2),
        },
    ),
    Caught(
        "says-that-everyone-answers",
        SaysThatEveryoneAnswers,
        "verification-of-destinations[down]",
        {"gateway.verifications.pacs": ("unanswered", "0000")},
    ),
    Caught(
        "forgets-after-a-restart",
        ForgetsAfterARestart,
        "restart[killed-before-the-study-is-complete]",
        {
            "gateway.studies.study.state": ("forwarded", "unmatched"),
            "gateway.studies.study.reasons": ([], ["order.not-found"]),
            "downstream.studies.study.instances": (6, 0),
            "downstream.studies.study.pixel_data": ("identical", "nothing arrived"),
        },
    ),
)
