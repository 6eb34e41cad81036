"""A remote SCP: what the gateway forwards to, and where a run looks whether the images arrived unharmed."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Sequence
from pathlib import Path

from simulator.actors.observation import Observe, observation
from simulator.errors import StartError
from simulator.events import InstanceReceived
from simulator.wire import part10
from simulator.wire.acceptor import Acceptor
from simulator.wire.association import Context, Outgoing, Response, StoreRequest

_OUT_OF_RESOURCES = 0xA700  # PS3.4 B.2.3


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
    ) -> None:
        self._observe = observe
        self._out = out
        self._observer = observer
        self._acceptor = Acceptor(ae_title, host, port, contexts, self._take, tls=tls)

    def start(self) -> int:
        """Listen, and return the port. Raises `StartError`."""
        if self._out is not None:
            try:
                self._out.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StartError(f"files cannot be written to {self._out}: {error.strerror}") from error
        return self._acceptor.start()

    def stop(self) -> None:
        """Stop listening."""
        self._acceptor.stop()

    def _take(self, request: StoreRequest) -> Response:
        response = self._write(request) if self._out is not None else Response(0x0000)
        seen = observation(request.data_set, request.transfer_syntax_uid)
        self._observe(
            InstanceReceived(
                observer=self._observer,
                study_instance_uid=seen.study_instance_uid,
                sop_instance_uid=request.sop_instance_uid,
                sop_class_uid=request.sop_class_uid,
                transfer_syntax_uid=request.transfer_syntax_uid,
                calling_ae_title=request.calling_ae_title,
                status=response.status_text,
                data_set_digest=seen.data_set_digest,
                pixel_data_digest=seen.pixel_data_digest,
                keys=seen.keys,
                original=seen.original,
            )
        )
        return response

    def _write(self, request: StoreRequest) -> Response:
        """Write a Part 10 file; its name is a digest, since a UID from the wire must not become a path."""
        assert self._out is not None
        uids = (request.sop_class_uid, request.sop_instance_uid, request.transfer_syntax_uid)
        file = self._out / f"{hashlib.sha256(request.sop_instance_uid.encode()).hexdigest()[:32]}.dcm"
        part = file.with_suffix(".part")
        try:
            part.write_bytes(part10.build(Outgoing(*uids, request.data_set), request.calling_ae_title))
            part.replace(file)
        except OSError as error:
            return Response(_OUT_OF_RESOURCES, f"cannot be written: {error.strerror}")
        return Response(0x0000)
