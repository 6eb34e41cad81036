"""What the tests of this room share: sites on free ports, studies and orders, and a gateway in this process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from simulator import site as profile
from simulator.gateway.index import Index
from simulator.gateway.server import Gateway, Ready
from simulator.gateway.store import Store
from simulator.site import Site
from simulator.synthesis.orders import Order
from simulator.synthesis.studies import Instance, Study
from simulator.wire import hl7_acknowledgements, hl7_messages, mllp
from simulator.wire.acceptor import Acceptor
from simulator.wire.association import Address, Association, Context, Outgoing, Response, StoreRequest
from simulator.wire.hl7_acknowledgements import Acknowledgement
from simulator.wire.hl7_messages import Envelope, OrderMessage
from tests.synthesis.made import EXPLICIT
from tests.wire.sockets import HOST, PATIENCE

SENT_AT = "20240102030405"


def a_site(**changes: Any) -> Site:
    """Return the default profile on free ports with `changes` laid over it."""
    free = {"dicom_port": 0, "hl7_port": 0, "http_port": 0, "quiet_period": 0.1}
    return profile.overridden(profile.overridden(Site(), {"gateway": free}), changes)


def to(port: int, ae_title: str = "REMOTE") -> dict[str, Any]:
    """Return a destination as a profile names it."""
    return {"ae_title": ae_title, "port": port}


def a_message(order: Order, message_type: str = "ORM^O01", **changes: str) -> bytes:
    """Return the HL7 message that carries an order; `changes` replace what it truly says."""
    fields = {
        "message_type": message_type,
        "version": hl7_messages.VERSIONS[message_type],
        "control_id": f"MSG{order.accession_number}",
        "sender": "RIS|FACILITY",
        "order_control": "NW",
        "accession_number": order.accession_number,
        "placer_order_number": order.placer_order_number,
        "filler_order_number": order.filler_order_number,
        "requested_procedure_id": order.requested_procedure_id,
        "study_instance_uid": order.study_instance_uid,
        "modality": order.modality,
        "patient_id": order.person.hkid,
        "patient_name": order.person.name,
        "patient_birth_date": order.person.birth_date,
        "patient_sex": order.person.sex,
    }
    return hl7_messages.build_order(OrderMessage(**fields | changes), Envelope(SENT_AT))


def outgoing(instance: Instance) -> Outgoing:
    """Return the instance as C-STORE sends it."""
    return Outgoing(instance.sop_class_uid, instance.sop_instance_uid, instance.transfer_syntax_uid, instance.data_set)


def received(instance: Instance, **changes: Any) -> StoreRequest:
    """Return the instance as an SCP receives it; `changes` replace fields of the request."""
    fields = {
        "calling_ae_title": "MODALITY",
        "called_ae_title": "HAGATEWAY",
        "peer": HOST,
        "abstract_syntax_uid": instance.sop_class_uid,
        "transfer_syntax_uid": instance.transfer_syntax_uid,
        "sop_class_uid": instance.sop_class_uid,
        "sop_instance_uid": instance.sop_instance_uid,
        "data_set": instance.data_set,
    }
    return StoreRequest(**fields | changes)


def contexts_of(instances: Collection[Outgoing]) -> list[Context]:
    """Return a presentation context for each SOP class and transfer syntax."""
    pairs = dict.fromkeys((i.sop_class_uid, i.transfer_syntax_uid) for i in instances)
    return [Context(sop_class, (syntax,)) for sop_class, syntax in pairs]


@contextmanager
def opened(folder: Path) -> Iterator[tuple[Store, Index]]:
    """Open the store and the index below `folder`."""
    store = Store(folder)
    index = Index(folder / "index.sqlite")
    try:
        yield store, index
    finally:
        index.close()


def events(index: Index, name: str) -> list[dict[str, Any]]:
    """Return all events of one class."""
    return [record for _, record in index.events(limit=100_000) if record["event"] == name]


def states(index: Index, study_instance_uid: str) -> list[str]:
    """Return the states that a study went through."""
    changes = events(index, "StudyChanged")
    return [record["state"] for record in changes if record["study_instance_uid"] == study_instance_uid]


class Serving:
    """A gateway that runs in a thread of this process."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready: asyncio.Queue[Ready] = asyncio.Queue()
        self._thread = threading.Thread(target=self.loop.run_forever, name="gateway")

    def start(self) -> Ready:
        """Start the gateway and return what its ready file would say; raises what `run` raises."""

        async def announced() -> Ready:
            told = asyncio.create_task(self._ready.get())
            await asyncio.wait({self._running, told}, return_when=asyncio.FIRST_COMPLETED)
            if not told.done():
                told.cancel()
                await self._running
            return told.result()

        self._thread.start()
        self._running = asyncio.run_coroutine_threadsafe(self._begin(), self.loop).result(PATIENCE)
        return asyncio.run_coroutine_threadsafe(announced(), self.loop).result(PATIENCE)

    def stop(self) -> None:
        """Stop the gateway as a signal would, and wait until it has ended."""

        async def ended() -> None:
            self._stop.set()
            await self._running

        asyncio.run_coroutine_threadsafe(ended(), self.loop).result(PATIENCE)

    def close(self) -> None:
        """Take the thread down."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()

    async def _begin(self) -> asyncio.Task[None]:
        return asyncio.create_task(self.gateway.run(self._stop, self._ready))


class Running:
    """A started gateway, and what a test does with it."""

    def __init__(self, serving: Serving, ready: Ready) -> None:
        self._serving = serving
        self.ready = ready
        self.gateway = serving.gateway
        self.index = serving.gateway.index
        self.url = ready.http_url
        self.address = Address(ready.ae_title, HOST, ready.dicom_port)
        self.stopped = False

    def store(self, *instances: Instance, ae_title: str = "MODALITY") -> list[Response]:
        """Send the instances over one association."""
        return self.send([outgoing(instance) for instance in instances], ae_title)

    def send(self, instances: Collection[Outgoing], ae_title: str = "MODALITY") -> list[Response]:
        """Send what may be no instance of ours."""
        with Association.request(ae_title, self.address, contexts_of(instances)) as association:
            return [association.store(instance) for instance in instances]

    def order(self, message: bytes) -> Acknowledgement:
        """Send an HL7 message."""
        return hl7_acknowledgements.read_acknowledgement(mllp.exchange(HOST, self.ready.hl7_port, message))

    def await_event(self, name: str, after: int = 0, **fields: object) -> dict[str, Any]:
        """Return the first event of this class with these fields, behind number `after`."""

        async def find() -> dict[str, Any]:
            async for _, record in self.index.follow(after):
                if record["event"] == name and fields.items() <= record.items():
                    return record
            raise AssertionError(f"the gateway ended without {name} {fields}")

        found = asyncio.run_coroutine_threadsafe(asyncio.wait_for(find(), PATIENCE), self._serving.loop)
        try:
            return found.result(PATIENCE * 2)
        except TimeoutError:
            pytest.fail(f"no {name} {fields} within {PATIENCE:g} s; seen: {self.index.events(limit=50)}")

    def await_state(self, study: Study, state: str, after: int = 0) -> dict[str, Any]:
        """Return the event by which the study enters the state."""
        return self.await_event("StudyChanged", after, study_instance_uid=study.study_instance_uid, state=state)

    @property
    def last(self) -> int:
        """The number of the last event so far."""
        return max((number for number, _ in self.index.events(limit=100_000)), default=0)

    def stop(self) -> None:
        """Stop it, as SIGTERM does."""
        if not self.stopped:
            self.stopped = True
            self._serving.stop()


@contextmanager
def running(folder: Path, site: Site | None = None) -> Iterator[Running]:
    """Run a gateway over `folder` until the end of the block."""
    serving = Serving(Gateway(site or a_site(), folder))
    try:
        run = Running(serving, serving.start())
        try:
            yield run
        finally:
            run.stop()
    finally:
        serving.close()


class Remote:
    """A destination: what it took is in `taken`; it answers what `answers` says of an instance, else 0000."""

    def __init__(self) -> None:
        self.taken: list[StoreRequest] = []
        self.answers: Mapping[str, Response] = {}
        self.on_store: Callable[[StoreRequest], object] = bool

    def take(self, request: StoreRequest) -> Response:
        """Take one instance."""
        self.on_store(request)
        response = self.answers.get(request.sop_instance_uid, Response(0x0000))
        if response.stored:
            self.taken.append(request)
        return response

    def uids(self) -> list[str]:
        """Return the SOP instance UIDs of what was taken."""
        return [request.sop_instance_uid for request in self.taken]


@contextmanager
def remote(port: int = 0, ae_title: str = "REMOTE") -> Iterator[tuple[Remote, int]]:
    """Run a destination that takes Explicit VR Little Endian."""
    with accepting((EXPLICIT,), port, ae_title) as running:
        yield running


@contextmanager
def accepting(
    syntaxes: tuple[str, ...], port: int = 0, ae_title: str = "REMOTE", *, extended: bool = False
) -> Iterator[tuple[Remote, int]]:
    """Run a destination that takes these transfer syntaxes."""
    taking = Remote()
    classes = a_site(sop_classes="extended" if extended else "seed").storage_classes()
    acceptor = Acceptor(ae_title, HOST, port, [Context(c.uid, syntaxes) for c in classes], taking.take)
    try:
        yield taking, acceptor.start()
    finally:
        acceptor.stop()
