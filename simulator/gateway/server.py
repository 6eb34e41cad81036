"""Puts the gateway together: listens for DICOM, HL7 and HTTP, and moves studies along the pipeline."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import sqlite3
import threading
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import uvicorn

from simulator.errors import StartError, StopError
from simulator.events import Event, StudyChanged, now
from simulator.gateway import (
    access,
    api,
    by_hand,
    filing,
    header,
    pipeline,
    reconciliation,
    reconciliation_api,
    recovery,
    second_look,
    statuses,
    verification,
)
from simulator.gateway.acts import Ruling
from simulator.gateway.audit import Act
from simulator.gateway.backlog import stored
from simulator.gateway.capacity import Capacity
from simulator.gateway.commitment import Commitments
from simulator.gateway.folder_lock import FolderLock
from simulator.gateway.forward_queue import WARNINGS, Dispatch, Selection
from simulator.gateway.health import INDEX, STORAGE, Health
from simulator.gateway.http_listener import LOOPBACK, HttpServer, http_socket
from simulator.gateway.index import Index
from simulator.gateway.orders import Orders
from simulator.gateway.outbox import Outbox
from simulator.gateway.reconciliation import Reconciliation
from simulator.gateway.refusals import Refusals
from simulator.gateway.retention import Retention
from simulator.gateway.rows import InstanceRow, StudyRow
from simulator.gateway.steps import Matched, Received, Refused, Unmatched, Verdict
from simulator.gateway.store import Part, Store
from simulator.gateway.study_queue import StudyQueue
from simulator.gateway.tables import FILE_NAME
from simulator.rules import image_count, transfer_syntaxes
from simulator.site import Site
from simulator.wire import tls
from simulator.wire.acceptor import Acceptor
from simulator.wire.association import Context, Response, StoreRequest
from simulator.wire.mllp import MllpListener

_LOG = logging.getLogger(__name__)
_OPEN_STATES = frozenset(("receiving", "matched"))
_PATIENCE_WITH_READERS = 2  # seconds that a stop waits for who follows the events but does not read them


@dataclass(frozen=True, slots=True)
class Ready:
    """What `--ready-file` holds once every port listens; a port of 0 is switched off."""

    pid: int
    ae_title: str
    dicom_port: int
    hl7_port: int
    http_url: str
    dicom_tls_port: int = 0

    def write(self, file: Path) -> None:
        """Write the file whole: it appears complete or not at all."""
        part = file.with_name(f"{file.name}.{self.pid}.part")
        part.write_text(json.dumps(asdict(self)), encoding="utf-8")
        part.replace(file)


class Gateway:
    """One gateway over one data folder. `run` serves until it is told to stop."""

    def __init__(self, site: Site, data: Path) -> None:
        """Open the data folder. Raises `StartError` when it cannot be used."""
        self.site = site
        self._lock = FolderLock(data)
        try:
            self.store = Store(data)
            self.index = Index(data / FILE_NAME)
        except StartError:
            self._lock.release()
            raise
        self.health = Health(self.index.add_event)
        self.index.watch(self.health.index_works)
        self._capacity = Capacity(data, site.storage.keep_free, self.health)
        self._refusals = Refusals(self.store, self.index, self._capacity, self.health)
        self.assembly = StudyQueue("assembly", self.decide, site.gateway.quiet_period)
        self.outbox = Outbox(site, self.index, self.store, self.sent)
        self.gatekeeper = access.Gatekeeper(site, self.index.add_event)
        self.commitments = Commitments(site, self.index, self.store, self.assembly.expedite)
        self._orders = Orders(site, self.index, self.store, self._order_changed)
        self._taking = threading.RLock()  # held while something is received or decided
        self._desk = Reconciliation(site, self.index, self._taking, self._change, self._send_on)
        kept = None if site.storage.retention == "never" else site.storage.retention
        self.retention = Retention(kept, self.index, self.store, self._taking, self.outbox.queue.busy)

    async def run(self, stop: asyncio.Event, ready: asyncio.Queue[Ready] | None = None) -> None:
        """Listen on every port until `stop` is set, then end cleanly.

        What a stop leaves undone is found again at the next start. Raises `StartError` when a port cannot be had.
        """
        here = self.site.gateway
        acceptor = self._acceptor()
        hl7 = MllpListener(
            here.host,
            here.hl7_port,
            self._orders.answer,
            self._orders.refuse_garbage,
            tell=self.gatekeeper.tell,
            time_out=here.time_outs.pdu,
        )
        with ExitStack() as undo:
            undo.callback(self._lock.release)
            undo.callback(self.index.close)
            http_port = http_socket(here.http_port)
            undo.callback(http_port.close)
            # Before anybody can send: what is being received just now must not be taken for a leftover.
            self._note(Act("start", after=_fingerprint(self.site)))
            self._resume()
            undo.callback(acceptor.stop)
            dicom_port, tls_port = self._listen(acceptor)
            hl7_port = await hl7.start()
            undo.pop_all()
        http = HttpServer(
            uvicorn.Config(
                api.application(
                    self.index,
                    self.health,
                    [
                        *by_hand.routes(self.forward, self.index, self.site),
                        *reconciliation_api.routes(self._desk, self.index),
                        *verification.routes(self.site, self.index),
                    ],
                ),
                log_config=None,
                lifespan="off",
                timeout_graceful_shutdown=_PATIENCE_WITH_READERS,
            )
        )
        serving = asyncio.create_task(http.serve(sockets=[http_port]))
        await http.listening.wait()
        self.assembly.start()
        self.outbox.start()
        self.commitments.start()
        self.retention.start()
        if ready is not None:
            url = f"http://{LOOPBACK}:{http_port.getsockname()[1]}"
            ready.put_nowait(Ready(os.getpid(), here.ae_title, dicom_port, hl7_port, url, tls_port))
        await stop.wait()
        await asyncio.to_thread(acceptor.stop)
        await hl7.stop()
        await asyncio.to_thread(self._finish)
        http.stop()
        await serving
        self._note(Act("stop"))
        self.index.close()
        self._lock.release()
        for trouble in self.health.troubles():
            if trouble.part == INDEX:  # what came last may be missing in it
                raise StopError(f"the gateway stopped while {trouble.problem} (since {trouble.since})")

    # --- one instance --------------------------------------------------------------------------------

    def begin(self, request: StoreRequest) -> Part | None:
        """Begin the file of a large instance that is coming; None where it is to be whole before anything is written.

        The latter where nothing of it may be kept before it is known whose it is, and where nothing can be.
        """
        try:
            may_begin = not self.site.only_hkid_prefixes and self._capacity.has_room(0)
            return filing.begin(request, self.store) if may_begin else None
        except OSError:
            return None

    def take(self, request: StoreRequest) -> Response:
        """Answer one C-STORE-RQ. Success means: complete under its final name (it survives a kill)."""
        # The limit and the check for repeats hold over all associations, so one instance at a time.
        with self._taking:
            try:
                refused = self._take(request)
            except (OSError, sqlite3.Error) as error:
                refused = self._refusals.unstorable(request, error)
            return self._refuse(refused) if refused else statuses.STORED.response()

    def _take(self, request: StoreRequest) -> Refused | None:
        """Keep an instance that is new, and pass over one that is held; or return how it is refused."""
        received = pipeline.receive(request, self.site, self.index, self.store)
        if isinstance(received, Refused):
            return received
        if received.repeated:
            return None
        written = request.incoming.size if request.incoming is not None else 0
        if not self._capacity.has_room(len(request.data_set) - written):
            return self._capacity.refusal(received)
        self._keep(received)
        self.health.well(STORAGE)
        return None

    def _keep(self, received: Received) -> None:
        kept = pipeline.persist(received, self.store)
        study = self.index.study(kept.row.study_instance_uid)
        if study is None or study.state != "receiving":
            self._add(kept.row)
            return
        self.index.add_later(kept)
        self.assembly.postpone(study.study_instance_uid)

    def _add(self, row: InstanceRow) -> None:
        """Index an instance at once; its study is receiving (again)."""
        events: list[Event] = [stored(row, now())]
        study = self.index.study(row.study_instance_uid)
        changed = None
        if study is None:
            changed = StudyRow(row.study_instance_uid, row.keys.accession_number, "receiving")
        elif study.state != "receiving":
            # It stays under the number it first came with, and keeps its order until it is decided anew.
            changed = replace(study, state="receiving", reasons=(), warnings=())
        if changed is not None:
            events.append(_changed(changed, self.index.sizes(row.study_instance_uid)[0] + 1))
        self.index.add_instance(row, events, changed)
        self.assembly.postpone(row.study_instance_uid)

    def _refuse(self, refused: Refused) -> Response:
        response = self._refusals.note(refused)
        if refused.header is not None and refused.exceeds_image_limit:
            self._reject_for_image_count(refused.header)
        return response

    def _reject_for_image_count(self, head: header.Header) -> None:
        study = self.index.study(head.study_instance_uid)
        if study is not None and study.state != "rejected":
            self.outbox.queue.withdraw(study.study_instance_uid)
            self._change(study.study_instance_uid, Verdict("rejected", (image_count.EXCEEDED,), (), ""))
            self._settle(study.study_instance_uid)

    # --- one study -----------------------------------------------------------------------------------

    def decide(self, study_instance_uid: str) -> None:
        """Match a study that is complete, or that an order came for, and act on the outcome."""
        # No instance and no order comes in between, or the verdict would be over what is no longer so.
        with self._taking:
            if not self.index.sizes(study_instance_uid)[0]:
                return  # every instance of it is lost, which was told
            study = reconciliation.ruled(pipeline.inspect(study_instance_uid, self.index), self.index)
            verdict = self.policy(pipeline.match(study, self.site))
            held = self.index.correction(study_instance_uid)
            verdict = second_look.told_of_other_keys(verdict, study, held)
            if verdict.state != "matched":
                self.outbox.queue.withdraw(study_instance_uid)  # before its correction goes: see `forwarding`
            self._change(study_instance_uid, verdict, act=reconciliation.policy_act(study, verdict, held, self.site))
            if verdict.state == "matched":
                self._queue(study_instance_uid)
        self.outbox.look()

    def _send_on(self, study_instance_uid: str) -> None:
        """Send what an operator bound to an order."""
        with self._taking:
            self._queue(study_instance_uid)
        self.outbox.look()

    def _queue(self, study_instance_uid: str) -> None:
        self.outbox.forward_matched(study_instance_uid)
        self._settle(study_instance_uid, begun=True)

    def policy(self, outcome: Matched | Unmatched) -> Verdict:
        """Return what becomes of the study at this site."""
        return pipeline.policy(outcome, self.site)

    def forward(self, selection: Selection, destination: str, who: str) -> Dispatch:
        """Queue what somebody selected for a destination. Raises `NotForwardable`, saying why and what could be."""
        with self._taking:
            rows = by_hand.selected(selection, destination, self.index, self.outbox.destinations)
            self.index.record(by_hand.act(selection, destination, who, len(rows)))
            put = self.outbox.forward(selection, destination, rows)
            self._settle(selection.study_instance_uid, begun=selection.whole_study)
        return put

    def sent(self, study_instance_uid: str) -> None:
        """Take in that something of a study was sent, or failed to be."""
        with self._taking:
            self._settle(study_instance_uid)

    def _settle(self, study_instance_uid: str, *, begun: bool = False) -> None:
        """Bring the study's state up to what became of it at all its destinations.

        begun: it was queued just now, so it is `forwarding` first, however soon a destination is done with it.
        Instances that came meanwhile made it `receiving` again, and it will be decided anew.
        """
        study = self.index.study(study_instance_uid)
        if study is None or not self.index.sizes(study_instance_uid)[0]:
            return
        if study.state not in by_hand.FORWARDABLE:
            if late := second_look.sent_after_all(study, self.index.is_sent(study_instance_uid)):
                self._change(study_instance_uid, late)
            return
        outcome = self.outbox.queue.outcome(study_instance_uid)
        warnings = self.outbox.queue.warnings(study_instance_uid)
        kept = tuple(each for each in study.warnings if each not in WARNINGS)
        correction = self.index.correction(study_instance_uid)
        for state in (*(("forwarding",) if outcome and begun else ()), outcome or study.state):
            self._change(study_instance_uid, Verdict(state, (), kept + warnings, study.order_accession, correction))

    def _change(
        self, study_instance_uid: str, verdict: Verdict, ruling: Ruling | None = None, act: Act | None = None
    ) -> None:
        study = self.index.study(study_instance_uid)
        if study is None:
            return
        changed = StudyRow(
            study_instance_uid,
            study.accession_number,
            verdict.state,
            verdict.reasons,
            verdict.warnings,
            verdict.order_accession,
        )
        if changed != study or ruling is not None:
            event = _changed(changed, self.index.sizes(study_instance_uid)[0])
            self.index.change_study(changed, event, verdict.correction, ruling, act)
            _LOG.info("study %s is %s %s", study_instance_uid, verdict.state, ", ".join(verdict.reasons))
            if changed.state == "forwarded":
                self.retention.begin(study_instance_uid)

    def _order_changed(self, accession_number: str) -> None:
        """Match every study of an order again, and be done with it before the order is acknowledged."""
        with self._taking:  # a study that is being decided without this order is `unmatched` after that
            for study in self.index.studies_under(accession_number):
                self._look_again(study)

    def _look_again(self, study: StudyRow) -> None:
        if second_look.is_settled(study) or not self.index.sizes(study.study_instance_uid)[0]:
            return
        found = reconciliation.ruled(pipeline.inspect(study.study_instance_uid, self.index), self.index)
        verdict = self.policy(pipeline.match(found, self.site))
        sent_as = self.index.correction(study.study_instance_uid)
        if not second_look.stays(study, found, verdict, sent_as):
            self.decide(study.study_instance_uid)
            return
        self._change(study.study_instance_uid, second_look.warned(study, found, verdict, sent_as))

    # --- start and stop ------------------------------------------------------------------------------

    def _acceptor(self) -> Acceptor:
        here = self.site.gateway
        return Acceptor(
            here.ae_title,
            here.host,
            0,
            storage_contexts(self.site),
            self.take,
            maximum_associations=here.maximum_associations,
            admit=self.gatekeeper.admit,
            begin=self.begin,
            tell=self.gatekeeper.tell,
            time_outs=access.time_outs(self.site),
            on_action=self.commitments.answer,
            on_report=self.outbox.safekeeping.by("new"),
        )

    def _listen(self, acceptor: Acceptor) -> tuple[int, int]:
        """Listen for DICOM without and with TLS, and return both ports; 0 is one that the site switched off."""
        here, credentials = self.site.gateway, access.acceptor_credentials(self.site)
        plain = 0 if here.dicom_port == "off" else acceptor.listen(here.host, here.dicom_port)
        if credentials is None or here.tls is None or here.tls.port == "off":
            return plain, 0
        context = tls.acceptor_context(credentials, require_certificate=here.tls.client_certificates == "required")
        return plain, acceptor.listen(here.host, here.tls.port, context)

    def _resume(self) -> None:
        """Go on where the last run stopped: bring index and files together, decide studies left open."""
        self.retention.recover()  # or a purge that was cut off looks like a loss
        recovery.recover(self.store, self.index, self._add)
        self.outbox.recover()
        self._orders.resume()
        for study in self.index.studies():
            uid = study.study_instance_uid
            if study.state in _OPEN_STATES or (study.state == "forwarding" and not self.outbox.queue.outcome(uid)):
                self.assembly.postpone(uid)
            else:
                self._settle(uid)  # the last run may have ended before it took in what became of it

    def _note(self, act: Act) -> None:
        """Write into the audit log what must not be hindered by it."""
        try:
            self.index.record(act)
        except sqlite3.Error as error:
            _LOG.error("the audit log does not take %s: %s", act.act, error)

    def _finish(self) -> None:
        self.assembly.stop()
        self.outbox.stop()
        self.commitments.stop()
        self.retention.stop()
        self.index.finish()


def storage_contexts(site: Site) -> list[Context]:
    """Return what the gateway accepts as Storage SCP: each SOP class of the site, in every transfer syntax it takes."""
    return [Context(sop_class.uid, transfer_syntaxes.ACCEPTED) for sop_class in site.storage_classes()]


def _fingerprint(site: Site) -> dict[str, str]:
    """Return which configuration this is: two that are alike have the same digest."""
    return {"site": site.site, "configuration": hashlib.sha256(site.model_dump_json().encode()).hexdigest()}


def _changed(study: StudyRow, instances: int) -> StudyChanged:
    return StudyChanged(
        observer="gateway",
        study_instance_uid=study.study_instance_uid,
        accession_number=study.accession_number,
        state=study.state,
        reasons=study.reasons,
        warnings=study.warnings,
        instances=instances,
    )
