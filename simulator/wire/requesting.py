"""Requests an association (PS3.8 9.3.2), and says why there is none: who rejected it and why, or what came instead."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pydicom.uid import UID
from pynetdicom import build_context, build_role, evt
from pynetdicom.association import Association as LibraryAssociation
from pynetdicom.pdu import A_ASSOCIATE_RJ

from simulator.errors import ContextNotAccepted, PeerAborted, PeerError, PeerRefused, PeerSilent, PeerUnreachable
from simulator.wire.hearing import Hearing
from simulator.wire.incidents import REJECT_REASONS
from simulator.wire.library import new_ae, send_without_delay
from simulator.wire.negotiated import answers, refusals
from simulator.wire.reassembly import MAXIMUM_MESSAGE
from simulator.wire.terms import MAXIMUM_PDU, Address, Context, TimeOuts
from simulator.wire.titles import on_the_wire, printable, send_titles
from simulator.wire.tls import Credentials, RequestorContext

ENDED_AT_ONCE = "{peer} ended the association as soon as it had accepted it"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is asked of whom.

    How the peer is reached: with which TLS credentials (None: without TLS), from which address (empty: any).
    maximum_length: of P-DATA-TF, in bytes, that the peer is told to send at most (PS3.8 D.1); 0: any. Who asks for
    another than the usual one wants to see what comes: longer ones are taken too.
    """

    calling_ae_title: str
    peer: Address
    contexts: Sequence[Context]
    tls: Credentials | None = None
    source: str = ""
    maximum_length: int = MAXIMUM_PDU

    @property
    def takes(self) -> int:
        """The length of P-DATA-TF above which the peer is aborted."""
        return MAXIMUM_PDU if self.maximum_length == MAXIMUM_PDU else MAXIMUM_MESSAGE


def request(
    proposal: Proposal, time_outs: TimeOuts, attend: Callable[[LibraryAssociation, Hearing], None]
) -> tuple[LibraryAssociation, Hearing]:
    """Return an established association, and who reads what comes on it.

    attend: called while the connection opens. Raises the `PeerError` that says why there is no association.
    """
    peer, contexts = proposal.peer, proposal.contexts
    heard: list[Hearing] = []
    accepted: list[evt.Event] = []
    rejections: list[tuple[int, int, int]] = []
    secured = None if proposal.tls is None else RequestorContext(proposal.tls)

    def received(event: evt.Event) -> None:
        if isinstance(event.pdu, A_ASSOCIATE_RJ):
            rejections.append(_taken_from(event.pdu))

    def connected(event: evt.Event) -> None:
        send_without_delay(event)
        hearing = Hearing(event.assoc, time_outs.pdu, proposal.takes)
        send_titles(event.assoc, on_the_wire(peer.ae_title) + on_the_wire(proposal.calling_ae_title))
        attend(event.assoc, hearing)
        heard.append(hearing)

    ae = new_ae(printable(proposal.calling_ae_title))
    ae.connection_timeout = time_outs.connection
    ae.acse_timeout = time_outs.acse
    ae.dimse_timeout = time_outs.dimse
    ae.network_timeout = None
    started = time.monotonic()
    association = ae.associate(
        peer.host,
        peer.port,
        contexts=[build_context(c.abstract_syntax_uid, list(c.transfer_syntax_uids)) for c in contexts],
        ae_title=printable(peer.ae_title),
        max_pdu=proposal.maximum_length,
        tls_args=cast(Any, secured and (secured, secured.peer_name(peer.host))),
        bind_address=(proposal.source, 0),
        ext_neg=[build_role(c.abstract_syntax_uid, scp_role=True) for c in contexts if c.role == "scp"],
        evt_handlers=[
            (evt.EVT_CONN_OPEN, connected),
            (evt.EVT_PDU_RECV, received),
            (evt.EVT_ACCEPTED, accepted.append),
        ],
    )
    if association.is_established:
        return association, heard[0]
    if rejections:
        raise _refused(ae.ae_title, peer, *rejections[0])
    if secured is not None and secured.failure is not None:
        raise PeerAborted(f"no TLS with {peer}: {secured.failure}")
    if association.accepted_contexts:
        raise PeerAborted(ENDED_AT_ONCE.format(peer=peer))
    if accepted:
        raise _not_accepted(association, proposal)
    if not heard:
        raise PeerUnreachable(f"nothing listens on {peer.host}:{peer.port}, or it cannot be reached from here")
    raise _unanswered(peer, heard[0], time_outs.acse, time.monotonic() - started)


def _not_accepted(association: LibraryAssociation, proposal: Proposal) -> ContextNotAccepted:
    names = dict.fromkeys(c.abstract_syntax_uid for c in proposal.contexts)
    told = ", ".join(sorted(UID(uid).name + refusals(association, uid) for uid in names))
    words = f"{proposal.peer} accepted the association but no presentation context for {told}"
    return ContextNotAccepted(words, answers(association))


def _unanswered(peer: Address, heard: Hearing, patience: float, passed: float) -> PeerError:
    """Return what became of a request that was neither accepted nor rejected."""
    if heard.unfinished and (heard.is_late or passed >= patience):
        return PeerSilent(f"{peer} took the connection but gave no whole answer in time: {heard.unfinished} came")
    if passed >= patience:
        return PeerSilent(f"{peer} took the connection but did not answer within {patience:g} s")
    came = heard.fault or ("" if heard.told.startswith("A-ABORT") else heard.told)
    if came:
        return PeerAborted(f"{peer} answered the association request with {came}")
    how = f" ({heard.told})" if heard.told else ""
    return PeerAborted(f"{peer} ended the connection instead of answering the association request{how}")


def _taken_from(rejection: A_ASSOCIATE_RJ) -> tuple[int, int, int]:
    """Return result, source and reason as received, and leave in the PDU what pynetdicom can bear.

    At a value that the standard does not define its thread ends, and the association seems silent.
    """
    fields = int(rejection.result or 0), int(rejection.source or 0), int(rejection.reason_diagnostic or 0)
    if fields[0] not in (1, 2) or fields[1:] not in REJECT_REASONS:
        rejection.result, rejection.source, rejection.reason_diagnostic = 1, 1, 1
    return fields


def _refused(calling_ae_title: str, peer: Address, result: int, source: int, reason: int) -> PeerRefused:
    kind = "permanently" if result == 1 else "for now"
    words = REJECT_REASONS.get((source, reason), "a reason that the standard does not define")
    return PeerRefused(
        f"{peer} rejected the association of {calling_ae_title} {kind}: {words} "
        f"(result {result}, source {source}, reason {reason})",
        result,
        source,
        reason,
    )
