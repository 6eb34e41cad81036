"""The gateway as SCU: one attempt to bring instances to a destination.

One association for all of them, or several where they need more presentation contexts than one association
proposes. Each instance goes in the transfer syntax in which it is held, where the destination takes that; where
it does not, in one to which it can be brought without loss. For each SOP class three contexts or more are
proposed: one for each transfer syntax held, and one each for the two uncompressed ones (Implicit VR Little Endian
is every SCU's to propose, PS3.5 10.1).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence

from pydicom.uid import UID

from simulator.errors import ContextNotAccepted, NotDicom, PeerError, UsageError
from simulator.events import InstanceForwarded
from simulator.gateway import access
from simulator.gateway.correction import Copy
from simulator.gateway.index import Index
from simulator.gateway.rows import InstanceRow
from simulator.gateway.store import Store
from simulator.rules import masking
from simulator.site import Destination, Site
from simulator.wire import part10, statuses, transcoding
from simulator.wire.association import MAXIMUM_CONTEXTS, Address, Association, Context, Outgoing
from simulator.wire.transcoding import UNCOMPRESSED

_LOG = logging.getLogger(__name__)


class Forwarder:
    """Sends instances out of the store to one destination; used from one thread, but for `stop` and `hang_up`."""

    def __init__(self, site: Site, destination: Destination, index: Index, store: Store) -> None:
        self._calling_ae_title = site.gateway.ae_title
        self._peer = Address(destination.ae_title, destination.host, destination.port)
        self._time_outs, self._tls = access.time_outs(site), access.credentials(site, destination)
        self._index = index
        self._store = store
        self._stopping = threading.Event()
        self._association: Association | None = None
        self._copies: dict[str, Copy] = {}

    def stop(self) -> None:
        """Break off after the instance in hand."""
        self._stopping.set()

    def hang_up(self) -> None:
        """Do not wait for the destination's answer any more."""
        association = self._association
        if association is not None:
            association.hang_up()

    def send(self, rows: Sequence[InstanceRow], wanted: Callable[[], bool] = lambda: True) -> str:
        """Send the instances; return what went wrong, in words, empty when the destination stored them all.

        It breaks off as soon as they are not `wanted` any more.
        """
        problems: list[str] = []
        # Once, and before `wanted` is first asked: what is taken back is taken back before its correction goes.
        studies = {row.study_instance_uid for row in rows}
        self._copies = {study: Copy(self._index.correction(study), self._calling_ae_title) for study in studies}
        for some in _in_associations(rows):
            try:
                with self._associate(some) as association:
                    self._association = association
                    problems.extend(self._send_all(association, some, wanted))
            except PeerError as error:
                return str(error)
            finally:
                self._association = None
        if not problems:
            return ""
        return f"{len(problems)} of {len(rows)} instances were not stored; the first: {problems[0]}"

    def _associate(self, rows: Sequence[InstanceRow]) -> Association:
        return Association.request(self._calling_ae_title, self._peer, _contexts(rows), self._time_outs, tls=self._tls)

    def _send_all(
        self, association: Association, rows: Sequence[InstanceRow], wanted: Callable[[], bool]
    ) -> Iterator[str]:
        """Send them one by one; yield what went wrong with each that was not stored."""
        for row in rows:
            if self._stopping.is_set():
                yield "the gateway stops"
            elif not wanted():
                yield "it was taken back"
            elif problem := self._send(association, row):
                told = masking.comment(problem)  # an Error Comment may name the patient
                _LOG.warning("instance %s is not stored by %s: %s", row.sop_instance_uid, self._peer, told)
                yield f"{row.sop_instance_uid}: {problem}"

    def _send(self, association: Association, row: InstanceRow) -> str:
        """Send one instance; return what went wrong, empty when the destination stored it (Bxxx counts as stored)."""
        try:
            outgoing = self._acceptable(association, self._outgoing(row))
            response = association.store(outgoing)
        except (ContextNotAccepted, NotDicom, OSError, UsageError) as error:
            return str(error)
        event = InstanceForwarded(
            observer="gateway",
            study_instance_uid=row.study_instance_uid,
            sop_instance_uid=row.sop_instance_uid,
            destination=self._peer.ae_title,
            status=response.status_text,
            transfer_syntax_uid=outgoing.transfer_syntax_uid,
        )
        if not response.stored:
            self._index.add_event(event)
            said = f' "{response.error_comment}"' if response.error_comment else ""
            return f"answered {statuses.told(response.status)}{said}"
        if response.status:
            _LOG.warning("%s stored %s with %s", self._peer, row.sop_instance_uid, response.status_text)
        self._index.add_delivery(row.sop_instance_uid, self._peer.ae_title, response.status_text, event)
        return ""

    def _outgoing(self, row: InstanceRow) -> Outgoing:
        """Return the instance as it lies in the store, corrected where its study is. Raises `NotDicom` or `OSError`."""
        held = part10.read(self._store.read(row.file))
        return self._copies[row.study_instance_uid].as_sent(held, row.calling_ae_title)

    def _acceptable(self, association: Association, held: Outgoing) -> Outgoing:
        """Return the instance in a transfer syntax that the destination takes.

        Raises `ContextNotAccepted` when there is none, or the instance cannot be brought there without loss.
        """
        if association.accepts(held.sop_class_uid, held.transfer_syntax_uid):
            return held
        for syntax in UNCOMPRESSED:
            if association.accepts(held.sop_class_uid, syntax):
                try:
                    return transcoding.transcoded(held, syntax)
                except NotDicom as error:
                    raise ContextNotAccepted(
                        f"it is held in {UID(held.transfer_syntax_uid).name}, {self._peer} takes it in "
                        f"{UID(syntax).name}, and it cannot be brought there without loss: {error}"
                    ) from error
        offered = ", ".join(UID(each).name for each in dict.fromkeys((held.transfer_syntax_uid, *UNCOMPRESSED)))
        raise ContextNotAccepted(
            f"it is held in {UID(held.transfer_syntax_uid).name}, and {self._peer} takes "
            f"{UID(held.sop_class_uid).name} in none of {offered}{association.refusal(held.sop_class_uid)}"
        )


def _in_associations(rows: Sequence[InstanceRow]) -> Iterator[list[InstanceRow]]:
    """Yield the instances in as few lots as their presentation contexts allow."""
    lot: list[InstanceRow] = []
    needed: set[tuple[str, str]] = set()
    for row in sorted(rows, key=lambda row: row.sop_class_uid):
        more = {(row.sop_class_uid, syntax) for syntax in (row.transfer_syntax_uid, *UNCOMPRESSED)}
        if len(needed | more) > MAXIMUM_CONTEXTS:
            yield lot
            lot, needed = [], set()
        lot.append(row)
        needed |= more
    if lot:
        yield lot


def _contexts(rows: Sequence[InstanceRow]) -> list[Context]:
    """Return a context of its own for each transfer syntax, since an acceptor takes one of each context."""
    held = dict.fromkeys((row.sop_class_uid, row.transfer_syntax_uid) for row in rows)
    other = dict.fromkeys((row.sop_class_uid, syntax) for row in rows for syntax in UNCOMPRESSED)
    return [Context(sop_class_uid, (syntax,)) for sop_class_uid, syntax in held | other]
