"""A remote SCP: what the gateway forwards to, and where a run looks whether the images arrived unharmed."""

from __future__ import annotations

import hashlib
import itertools
import socket
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from simulator.actors.observation import Observe, observation
from simulator.actors.safekeeper import Commits, Safekeeper
from simulator.errors import StartError
from simulator.events import HarnessFailed, InstanceReceived, LengthsMeasured
from simulator.wire import part10
from simulator.wire.acceptor import Acceptor, EndAssociation
from simulator.wire.association import Address, Context, Outgoing, Response, StoreRequest
from simulator.wire.incidents import AssociationRequest, Rejection

_OUT_OF_RESOURCES = 0xA700  # PS3.4 B.2.3
_ANOTHER_CLASS = "1.2.840.10008.5.1.4.1.1.104.1"  # Encapsulated PDF Storage, which no image is


WrongAnswer = Literal["message-id", "sop-instance", "sop-class", "no-status"]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a remote SCP behaves. C-STORE requests count over all associations, from 1 on; 0 stands for none.

    status: what it answers, without storing when that is a failure. times: to so many requests; None: to all, and the
    rest get success. aborts_at: the request at which it aborts. hangs_at: the request that it never answers.
    rejects: result, source and reason of A-ASSOCIATE-RJ (PS3.8 9.3.4), for so many `rejections` (None: all).
    commits: see `simulator.actors.safekeeper`. loses: so many of the first instances are gone when it is first asked
    for storage commitment.
    maximum_length: the length of P-DATA-TF, in bytes, that it announces (PS3.8 D.1; 0: any); longer ones are taken too,
    and it tells of the longest that came. context_result: it refuses every presentation context so (PS3.8 9.3.3.2).
    answers_wrongly: what its C-STORE responses say of another request than theirs, or do not say.
    """

    status: int = 0x0000
    times: int | None = None
    aborts_at: int = 0
    hangs_at: int = 0
    rejects: tuple[int, int, int] | None = None
    rejections: int | None = None
    commits: Commits = "honestly"
    loses: int = 0
    reports: Literal["same", "new"] = "same"
    maximum_length: int | None = None
    context_result: Literal[0, 1, 2] = 0
    answers_wrongly: WrongAnswer | None = None


class RemoteSCP:
    """Takes every instance of the given contexts, tells `observe`, and writes files to `out` where one is given."""

    def __init__(
        self,
        ae_title: str,
        host: str,
        port: int,
        contexts: Sequence[Context],
        observe: Observe,
        *,
        out: Path | None = None,
        observer: str = "remote",
        tls: ssl.SSLContext | None = None,
        behaviour: Behaviour | None = None,
    ) -> None:
        self._observe = observe
        self._out = out
        self._observer = observer
        self._behaviour = behaviour or Behaviour()
        self._where = (host, port)
        self._safekeeper = Safekeeper(
            ae_title, self._behaviour.commits, self._behaviour.loses, self._behaviour.reports == "same"
        )
        on_action = self._safekeeper.answer if self._behaviour.commits != "no" else None
        announced, wrongly = self._behaviour.maximum_length, self._behaviour.answers_wrongly
        self._acceptor_at = partial(
            Acceptor,
            ae_title,
            host,
            contexts=contexts,
            on_store=self._take,
            on_action=on_action,
            tls=tls,
            maximum_length=announced,
            measured=None if announced is None else self._measured,
            context_result=self._behaviour.context_result,
            alter=None if wrongly is None else partial(_alter, wrongly),
        )
        self._associations = itertools.count(1)
        self._acceptor: Acceptor | None = None
        self._reserved: socket.socket | None = None
        self._requests = itertools.count(1)
        self._stopped = threading.Event()

    def report_to(self, gateway: Address) -> None:
        """Have storage commitment reports that need an association of their own go to this address."""
        self._safekeeper.gateway = gateway

    def reserve(self) -> int:
        """Take a port and return it; nobody listens there until `start`. Raises `StartError`."""
        self._reserved = socket.socket()
        try:
            self._reserved.bind(self._where)
        except OSError as error:
            self._reserved.close()
            raise StartError(f"port {self._where[1]} of {self._where[0]} cannot be had: {error.strerror}") from error
        return int(self._reserved.getsockname()[1])

    def start(self) -> int:
        """Listen, and return the port. Raises `StartError`."""
        port = self._where[1]
        if self._reserved is not None:
            port = int(self._reserved.getsockname()[1])
            self._reserved.close()
        admit = self._admit if self._behaviour.rejects is not None else None
        self._acceptor = self._acceptor_at(port, admit=admit)
        if self._out is not None:
            try:
                self._out.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StartError(f"files cannot be written to {self._out}: {error.strerror}") from error
        return self._acceptor.start()

    def stop(self) -> None:
        """Stop listening."""
        self._stopped.set()
        self._safekeeper.stop()
        if self._acceptor is not None:
            self._acceptor.stop()
        elif self._reserved is not None:
            self._reserved.close()

    def _measured(self, longest: int) -> None:
        announced = self._behaviour.maximum_length or 0
        self._observe(LengthsMeasured(observer=self._observer, announced=announced, longest=longest))

    def _admit(self, asked: AssociationRequest) -> Rejection | None:
        number, limit = next(self._associations), self._behaviour.rejections
        if self._behaviour.rejects is None or (limit is not None and number > limit):
            return None
        return Rejection(*self._behaviour.rejects, field="", words=f"association {number} of {asked.calling_ae_title}")

    def _take(self, request: StoreRequest) -> Response:
        try:
            return self._answer(request)
        except EndAssociation:
            raise
        except Exception as error:
            # A mistake of ours must not look to the gateway, or to who judges it, like an answer.
            self._observe(HarnessFailed(observer=self._observer, problem=f"{type(error).__name__}: {error}"))
            raise EndAssociation from error

    def _answer(self, request: StoreRequest) -> Response:
        number = next(self._requests)
        if number in (self._behaviour.aborts_at, self._behaviour.hangs_at):
            self._note(request, "")
            if number == self._behaviour.hangs_at:
                self._stopped.wait()
            raise EndAssociation
        response = self._response(request, number)
        if response.stored:
            self._safekeeper.hold(request.sop_class_uid, request.sop_instance_uid)
        self._note(request, response.status_text)
        return response

    def _response(self, request: StoreRequest, number: int) -> Response:
        answered_so = self._behaviour.times is None or number <= self._behaviour.times
        response = Response(self._behaviour.status if answered_so else 0x0000)
        if self._out is None or not response.stored:
            return response
        return self._write(request) or response

    def _note(self, request: StoreRequest, status: str) -> None:
        seen = observation(bytes(request.data_set), request.transfer_syntax_uid)
        self._observe(
            InstanceReceived(
                observer=self._observer,
                study_instance_uid=seen.study_instance_uid,
                sop_instance_uid=request.sop_instance_uid,
                sop_class_uid=request.sop_class_uid,
                transfer_syntax_uid=request.transfer_syntax_uid,
                calling_ae_title=request.calling_ae_title,
                status=status,
                data_set_digest=seen.data_set_digest,
                pixel_data_digest=seen.pixel_data_digest,
                keys=seen.keys,
                original=seen.original,
            )
        )

    def _write(self, request: StoreRequest) -> Response | None:
        """Write a Part 10 file, or return why not; its name is a digest: no UID from the wire becomes a path."""
        assert self._out is not None
        uids = (request.sop_class_uid, request.sop_instance_uid, request.transfer_syntax_uid)
        file = self._out / f"{hashlib.sha256(request.sop_instance_uid.encode()).hexdigest()[:32]}.dcm"
        part = file.with_suffix(".part")
        try:
            part.write_bytes(part10.build(Outgoing(*uids, bytes(request.data_set)), request.calling_ae_title))
            part.replace(file)
        except OSError as error:
            return Response(_OUT_OF_RESOURCES, f"cannot be written: {error.strerror}")
        return None


def _alter(wrongly: WrongAnswer, response: Any) -> None:
    """Make a C-STORE response (PS3.7 9.3.1.2) say something of another request than its own, or no status."""
    if wrongly == "message-id":
        response.MessageIDBeingRespondedTo = response.MessageIDBeingRespondedTo % 65535 + 1
    elif wrongly == "sop-instance":
        response.AffectedSOPInstanceUID = f"{response.AffectedSOPInstanceUID}"[:62] + ".9"
    elif wrongly == "sop-class":
        response.AffectedSOPClassUID = _ANOTHER_CLASS
    else:
        response.Status = None
