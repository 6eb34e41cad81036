"""Plays a facility, so that a session can be gone through before anybody walks to a modality, and without a person.

Its CT, its archive and its RIS are real peers on this machine: they speak to the front doors over TCP as the facility's
own systems will, and do what the worksheet says, but for the one thing that a broken facility does wrong.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from simulator.actors.commitment import Reports
from simulator.actors.fault_relay import FaultRelay
from simulator.actors.modality import Modality
from simulator.actors.order_placer import OrderPlacer
from simulator.actors.raw_peer import RawPeer
from simulator.certify.broken import Broken
from simulator.certify.declaration import Declaration, System
from simulator.certify.desk import Decision, Look, Progress
from simulator.certify.outcome import Attestation, TestOutcome
from simulator.certify.people import SheetEntry
from simulator.certify.programme import Test
from simulator.certify.rig import Play
from simulator.events import Event, HarnessFailed, now
from simulator.rules.sop_classes import by_name
from simulator.rules.transfer_syntaxes import ACCEPTED
from simulator.scenario.messages import Asking, order_message
from simulator.synthesis import studies
from simulator.synthesis.lies import LIES, saying
from simulator.synthesis.orders import Order
from simulator.synthesis.uids import uid
from simulator.wire import certificates, commitment, pdu_script, tls
from simulator.wire.acceptor import Acceptor
from simulator.wire.association import Address, Context, Outgoing, Response
from simulator.wire.commitment import Notice, Reference
from simulator.wire.data_set import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from simulator.wire.faults import Fault
from simulator.wire.incidents import AssociationRequest, Rejection
from simulator.wire.tls import Credentials

WHO = "the rehearsal"

_LOOPBACK = "127.0.0.1"
_HONG_KONG = timedelta(hours=8)
_PERFORMED = timedelta(hours=1)  # a study is made so long after its order (`synthesis.studies`)
_OFFERED = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)  # the default is offered too (PS3.5 10.1)
_BUSY = (2, 3, 2)  # PS3.8 9.3.4: transient, local limit exceeded
_OUT_OF_RESOURCES = Response(0xA700, "no room")
_SOMEBODY = "A1234563"
_PATIENCE = 20.0
_FEW = 3  # images of a study


class Facility:
    """A facility on this machine. A context manager; it listens while it is open, and is a `Desk` that asks nobody.

    Systems that speak TLS show a certificate of the set (`wire.certificates`) to which the gateway's belongs.
    """

    def __init__(self, declared: Declaration, how: Broken) -> None:
        self._declared = declared
        self._how = how
        self._certificates = declared.gateway.tls.certificate.parent if declared.gateway.tls is not None else None
        self._listening: list[Acceptor | socket.socket] = []
        self._relay: FaultRelay | None = None
        self._acting: list[threading.Thread] = []

    def __enter__(self) -> Facility:
        """Let its systems listen. Raises `StartError`."""
        try:
            for system in self._declared.systems:
                if system.port is not None:
                    self._listen(system, system.port)
            if self._how.fault is not None:
                here = self._declared.gateway
                asked = [Fault.parse(self._how.fault.at, self._how.fault.do)]
                self._relay = FaultRelay("facility->door", _LOOPBACK, here.dicom_port, asked, lambda _: None)
                self._relay_port = self._relay.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._acting:
            thread.join(_PATIENCE)
        if self._relay is not None:
            self._relay.stop()
        for each in self._listening:
            each.stop() if isinstance(each, Acceptor) else each.close()

    # --- what the desk of a session is asked -----------------------------------------------------------

    def begin(self, test: Test, play: Play, minutes: float) -> None:
        """Do what the test asks for, while it is watched."""
        self._do(test, lambda: self._play(test, play.recorder.observe), play.recorder.observe)

    def say(self, test: Test, what: str) -> None:
        """Send the order that was waited for, where the facility sends it."""
        entry = test.entry
        if entry is not None and self._declared.orders.sent_by == "facility":
            self._do(test, lambda: self._order(entry.order, lambda _: None), lambda _: None)

    def look(self, test: Test, play: Play, progress: Progress) -> Look:
        """Let it go on."""
        return "on"

    def attest(self, test: Test) -> Attestation | None:
        """Say yes: everything was stored, or the test would have failed."""
        return Attestation(question=test.attest, answer="yes", name=WHO, at=now())

    def judged(self, test: Test, outcome: TestOutcome) -> Decision:
        """Go on, whatever came of it."""
        return Decision()

    def _do(self, test: Test, act: Callable[[], None], observe: Callable[[Event], None]) -> None:
        def acted() -> None:
            try:
                act()
            except Exception as error:  # noqa: BLE001 - a mistake of ours is not charged to anybody
                observe(HarnessFailed(observer=WHO, problem=f"{type(error).__name__}: {error}"))

        self._acting = [each for each in self._acting if each.is_alive()]
        thread = threading.Thread(target=acted, name=f"rehearsal-{test.id}", daemon=True)
        self._acting.append(thread)
        thread.start()

    # --- the CT, and the RIS ------------------------------------------------------------------------------

    def _play(self, test: Test, observe: Callable[[Event], None]) -> None:
        entry = test.entry
        if test.kind == "receive" or not (self._how.sends or test.kind == "order"):
            return
        if test.kind == "echo":
            self._echo(test)
            return
        assert entry is not None
        if entry.ordered_by == "facility":
            self._order(entry.order, observe)
        if test.kind != "order":
            self._send(test, entry)

    def _echo(self, test: Test) -> None:
        if self._how.script and not self._how.echoes:
            self._play_script()
            return
        as_it_should_be = self._how.echoes
        if not self._is_outdated(test):
            self._modality(test, well=as_it_should_be).echo()

    def _send(self, test: Test, entry: SheetEntry) -> None:
        if self._how.script:
            self._play_script()
            return
        if self._is_outdated(test):
            return
        sent = self._study(test, entry.order)
        pairs = [(sent[0].sop_class_uid, syntax) for syntax in _OFFERED]
        modality, stored = self._modality(test), 0
        if self._how.proposes:
            contexts = tuple(Context(abstract, syntaxes) for abstract, syntaxes in self._how.proposes)
            asking = replace(modality, proposes=contexts)
            if association := asking.open():
                asking.close(association)
        elif self._how.one_by_one:
            stored = sum(modality.store([instance], pairs) for instance in sent)
        else:
            stored = modality.store(sent, pairs)
        if test.kind == "commitment" and stored and self._how.commits != "not":
            self._commit(modality, sent)

    def _commit(self, modality: Modality, sent: Sequence[Outgoing]) -> None:
        references = [Reference(each.sop_class_uid, each.sop_instance_uid) for each in sent]
        if self._how.commits == "unknown-instance":
            references.append(Reference(sent[0].sop_class_uid, uid("never sent")))
        request = commitment.Request(uid("commitment", sent[0].sop_instance_uid, now()), tuple(references))
        # Reports come on associations of the gateway's own, to the system's port; here nobody waits for one.
        elsewhere = Reports(modality.ae_title, _LOOPBACK, lambda _: None)
        try:
            modality.commit(request, "", elsewhere, takes_here=False)
        finally:
            elsewhere.stop()

    def _modality(self, test: Test, *, well: bool = False) -> Modality:
        assert test.system is not None
        here, how = self._declared.gateway, self._how
        calling = test.system.ae_title if well or how.calling is None else how.calling
        called = here.ae_title if well or how.called is None else how.called
        port = self._relay_port if self._relay is not None and not well else self._port(test.system)
        return Modality(
            calling,
            Address(called, _LOOPBACK, port),
            lambda _: None,
            observer=test.system.name,
            tls=self._credentials(test.system),
        )

    # --- TLS ---------------------------------------------------------------------------------------------

    def _port(self, system: System) -> int:
        here = self._declared.gateway
        return here.tls.port if system.tls and here.tls is not None and here.tls.port != "off" else here.dicom_port

    def _credentials(self, system: System) -> Credentials | None:
        """Return with what TLS a system calls; None: without."""
        if not system.tls or self._certificates is None or self._how.tls == "plain":
            return None
        name = {"unknown-certificate": "stranger", "no-certificate": "none"}.get(self._how.tls or "", "modality")
        return certificates.credentials(self._certificates, name)

    def _context(self, system: System) -> ssl.SSLContext | None:
        """Return with what TLS a system listens; None: without."""
        how = self._how.listens
        if not system.tls or self._certificates is None or how == "without-tls":
            return None
        # The gateway's is for this machine, whoever shows it.
        shown = certificates.credentials(self._certificates, how if how in ("expired", "other-name") else "gateway")
        assert shown is not None
        return tls.acceptor_context(shown, require_certificate=True)

    def _is_outdated(self, test: Test) -> bool:
        """Call with TLS 1.1 where the system has nothing later, and return whether that is so."""
        assert test.system is not None
        if not test.system.tls or self._how.tls != "old-version":
            return False
        with contextlib.suppress(OSError), socket.create_connection((_LOOPBACK, self._port(test.system))) as connection:
            connection.settimeout(_PATIENCE)
            tls.outdated_context().wrap_socket(connection)
        return True

    # --- what is sent ------------------------------------------------------------------------------------

    def _study(self, test: Test, order: Order) -> list[Outgoing]:
        assert test.sop_class is not None
        lies = [LIES[name] for name in self._how.lies]
        if self._how.real_person:
            lies.append(saying("PatientID", _SOMEBODY))
        images = self._how.images if test.kind == "study" else _FEW
        spec = studies.SeriesSpec(test.sop_class, images, 64, 64)
        performed = replace(order, ordered_at=self._clock(-_PERFORMED), study_instance_uid=uid(test.id, now()))
        made = studies.study(f"{test.id}/{now()}", performed, [spec], lies)
        return [
            Outgoing(i.sop_class_uid, i.sop_instance_uid, i.transfer_syntax_uid, i.data_set) for i in made.instances
        ]

    def _clock(self, beside: timedelta = timedelta()) -> str:
        moment = datetime.now(UTC) + _HONG_KONG + beside + timedelta(hours=self._how.clock)
        return moment.strftime("%Y%m%d%H%M%S")

    def _play_script(self) -> None:
        here = self._declared.gateway
        RawPeer(pdu_script.script(list(self._how.script)), lambda _: None, "CT01").play(_LOOPBACK, here.dicom_port)

    def _order(self, order: Order, observe: Callable[[Event], None]) -> None:
        ordering, here = self._how.orders, self._declared.gateway
        if ordering == "not":
            return
        asking = Asking(accept="AL", application="NE") if ordering == "accept-alone" else Asking()
        message = order_message(replace(order, ordered_at=self._clock()), "ORM^O01", asking=asking).message
        message = _spoilt(message, order, ordering)
        if ordering == "no-end-block":
            self._say_without_end(message)
            return
        placer = OrderPlacer(_LOOPBACK, here.hl7_port, lambda _: None, observer=self._declared.orders.system)
        placer.send(message, order.accession_number)

    def _say_without_end(self, message: bytes) -> None:
        """Send a message whose block is never ended, and wait for the answer that does not come."""
        with socket.create_connection((_LOOPBACK, self._declared.gateway.hl7_port)) as connection:
            connection.sendall(b"\x0b" + message)
            connection.settimeout(5.0)
            with contextlib.suppress(OSError):
                connection.recv(4096)

    # --- its ears ------------------------------------------------------------------------------------------

    def _listen(self, system: System, port: int) -> None:
        how = self._how.listens
        if how == "not":
            return
        if how == "silent":
            self._listening += list(_full(port))
            return
        classes = [by_name(name) for name in system.sop_classes] if "receives" in system.does else []
        contexts = [] if how == "no-class" else [Context(each.uid, ACCEPTED) for each in classes]
        title = "SOMEBODY" if how == "another-title" else system.ae_title
        acceptor = Acceptor(
            title,
            _LOOPBACK,
            port,
            contexts,
            lambda _: _OUT_OF_RESOURCES if how == "fails" else Response(0),
            on_report=self._take if "commitment" in system.does and how != "no-role" else None,
            on_action=_no_action if how == "no-role" else None,
            admit=_always_busy if how == "busy" else None,
            tls=self._context(system),
        )
        acceptor.start()
        self._listening.append(acceptor)

    def _take(self, notice: Notice) -> Response:
        return Response(0) if notice.report is not None else Response(0x0110, notice.problem)


def _spoilt(message: bytes, order: Order, ordering: str) -> bytes:
    """Return the order with what this RIS gets wrong."""
    number = order.accession_number.encode()
    other = {"M": b"F", "F": b"M"}[order.person.sex]
    sex = f"|{order.person.birth_date}|{order.person.sex}".encode()
    changes = {
        "no-accession": (number, b""),
        "another-number": (number, number[:7] + b"00000009" + number[15:]),
        "no-sex": (sex, f"|{order.person.birth_date}|".encode()),
        "another-sex": (sex, f"|{order.person.birth_date}|".encode() + other),
        "no-hl7": (b"MSH|", b"MSG|"),
    }
    return message.replace(*changes[ordering]) if ordering in changes else message


def _full(port: int) -> Iterator[socket.socket]:
    """Yield a listener whose queue is full, and who fills it: who calls is answered nothing, as by a firewall."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((_LOOPBACK, port))
    listener.listen(0)
    yield listener
    for _ in range(2):
        caller = socket.socket()
        caller.setblocking(False)
        caller.connect_ex((_LOOPBACK, port))
        yield caller


def _always_busy(_: AssociationRequest) -> Rejection | None:
    return Rejection(*_BUSY, field="", words="as many as it takes")


def _no_action(*_: object) -> Response:
    return Response(0x0110)
