"""Every order that the gateway knows, with each message that ever made or changed it.

The tables lie in the index. An order that was written is `to_match` until its studies have been matched again, so
that a gateway that is killed in between does it at its next start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.events import Event
from simulator.gateway import audit
from simulator.gateway.audit import Act
from simulator.gateway.index import Index
from simulator.rules import hkid
from simulator.rules.identity import MajorKeys
from simulator.rules.matching import OrderKeys


@dataclass(frozen=True, slots=True)
class OrderMessageRow:
    """A message that made or changed an order, as it came: a letter for each byte, so that nothing of it is lost."""

    message: str
    control_id: str = ""
    message_type: str = ""
    order_control: str = ""
    at: str = ""


class OrderBook:
    """The orders in one index. Safe for use from several threads."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def put(
        self, orders: Sequence[OrderKeys], message: OrderMessageRow, event: Event, acts: Sequence[Act] = ()
    ) -> None:
        """Write orders in place of those under the same accession numbers, the message that said so, and the acts."""
        kept = (event.at, message.control_id, message.message_type, message.order_control, message.message)
        with self._index.transaction([event]) as db:
            db.executemany(
                """
                INSERT INTO orders VALUES (?,?,?,?,?,?,?,1) ON CONFLICT (accession_number) DO UPDATE SET
                    hkid = excluded.hkid, name = excluded.name, birth_date = excluded.birth_date, sex = excluded.sex,
                    cancelled = excluded.cancelled, patient = excluded.patient, to_match = 1
                """,
                [_values(order) for order in orders],
            )
            db.executemany(
                "INSERT INTO order_message VALUES (NULL,?,?,?,?,?,?)",
                [(order.accession_number, *kept) for order in orders],
            )
            entries = [audit.append(db, act) for act in acts]
        for entry in entries:
            audit.tell(entry)

    def matched(self, accession_number: str) -> None:
        """Note that the studies of the order were matched again since it was last written."""
        with self._index.transaction([]) as db:
            db.execute("UPDATE orders SET to_match = 0 WHERE accession_number = ?", (accession_number,))

    def to_match(self) -> tuple[str, ...]:
        """Return the accession numbers of the orders whose studies were not matched again since they were written."""
        return tuple(row[0] for row in self._index.rows("SELECT accession_number FROM orders WHERE to_match = 1"))

    def of_patient(self, patient_id: str) -> tuple[OrderKeys, ...]:
        """Return the orders of a patient, by HKID in any of its spellings, in the order in which they first came."""
        query = (
            "SELECT accession_number, hkid, name, birth_date, sex, cancelled FROM orders WHERE patient = ? "
            "ORDER BY rowid"
        )
        rows = self._index.rows(query, hkid.canonical(patient_id))
        return tuple(OrderKeys(row[0], MajorKeys(*row[1:5]), bool(row[5])) for row in rows)

    def history(self, accession_number: str) -> tuple[OrderMessageRow, ...]:
        """Return every message that made or changed the order, in the order in which they came."""
        query = (
            "SELECT message, control_id, message_type, order_control, at FROM order_message "
            "WHERE accession_number = ? ORDER BY number"
        )
        return tuple(OrderMessageRow(*row) for row in self._index.rows(query, accession_number))


def _values(order: OrderKeys) -> tuple[object, ...]:
    keys = order.keys
    patient = hkid.canonical(keys.hkid)
    return (order.accession_number, keys.hkid, keys.name, keys.birth_date, keys.sex, order.cancelled, patient)
