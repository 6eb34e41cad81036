"""Storage commitment transactions in the index: each is `received`, then `decided`, then `reported` or `abandoned`.

A transaction is committed to the index before N-ACTION is answered, and its decision before it is reported, so that
a gateway that was killed goes on with it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from simulator.events import Event
from simulator.gateway.index import Index
from simulator.wire.commitment import Failure, Reference, Report, Request

_COLUMNS = "number, transaction_uid, calling_ae_title, state, instances, attempts"


@dataclass(frozen=True, slots=True)
class Transaction:
    """One request for commitment: its instances and, once it is decided, a reason for each that failed."""

    number: int
    transaction_uid: str
    calling_ae_title: str
    state: str
    instances: tuple[tuple[Reference, int | None], ...]
    attempts: int

    @property
    def references(self) -> tuple[Reference, ...]:
        """The instances of the request, each once."""
        return tuple(reference for reference, _ in self.instances)

    def report(self) -> Report:
        """Return what the requester is told: every instance in exactly one of the two sequences."""
        return Report(
            self.transaction_uid,
            tuple(reference for reference, reason in self.instances if reason is None),
            tuple(Failure(reference, reason) for reference, reason in self.instances if reason is not None),
        )


class Transactions:
    """The table of them. Safe for use from several threads."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def add(self, request: Request, calling_ae_title: str, event: Event) -> int:
        """Write down a request and return its number."""
        instances = _written(tuple((reference, None) for reference in request.references))
        with self._index.transaction([event]) as db:
            query = "INSERT INTO commitment (transaction_uid, calling_ae_title, state, instances) VALUES (?,?,?,?)"
            values = (request.transaction_uid, calling_ae_title, "received", instances)
            return int(db.execute(query, values).lastrowid or 0)

    def get(self, number: int) -> Transaction:
        """Return the transaction with this number."""
        row = self._index.rows(f"SELECT {_COLUMNS} FROM commitment WHERE number = ?", number)[0]  # noqa: S608
        instances = tuple((Reference(c, i), reason) for c, i, reason in json.loads(row[4]))
        return Transaction(row[0], row[1], row[2], row[3], instances, row[5])

    def under_way(self) -> tuple[Transaction, ...]:
        """Return all that are neither reported nor abandoned, in the order in which they came."""
        query = "SELECT number FROM commitment WHERE state IN ('received', 'decided') ORDER BY number"
        return tuple(self.get(row[0]) for row in self._index.rows(query))

    def is_repeated(self, transaction: Transaction) -> bool:
        """Tell whether an earlier request came under the same Transaction UID."""
        query = "SELECT 1 FROM commitment WHERE transaction_uid = ? AND number < ? LIMIT 1"
        return bool(self._index.rows(query, transaction.transaction_uid, transaction.number))

    def decide(self, number: int, instances: tuple[tuple[Reference, int | None], ...], event: Event) -> None:
        """Write the decision down; it and the rows of all instances survive a power cut then."""
        with self._index.transaction([event], durable=True) as db:
            query = "UPDATE commitment SET state = 'decided', instances = ? WHERE number = ?"
            db.execute(query, (_written(instances), number))

    def end(self, number: int, state: str, event: Event) -> None:
        """Note that the transaction is `reported` or `abandoned`; its UID stays, its instances are not needed."""
        with self._index.transaction([event]) as db:
            query = "UPDATE commitment SET state = ?, instances = '[]', attempts = attempts + 1 WHERE number = ?"
            db.execute(query, (state, number))

    def count_attempt(self, number: int, event: Event) -> None:
        """Note that the report was tried in vain."""
        with self._index.transaction([event]) as db:
            db.execute("UPDATE commitment SET attempts = attempts + 1 WHERE number = ?", (number,))


def _written(instances: tuple[tuple[Reference, int | None], ...]) -> str:
    return json.dumps([[each.sop_class_uid, each.sop_instance_uid, reason] for each, reason in instances])
