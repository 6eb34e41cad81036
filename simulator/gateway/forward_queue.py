"""What is to be sent, to whom, and when: one queue for each destination, in the index.

A `Dispatch` is a study, a series or an instance on its way to one destination, with the instances that were
decided upon; which of them the destination has stored already stands in the index's `delivery`. Its state is

    waiting   due at its moment, for the first time or again
    sending   under way; a restart finds it `waiting`, since nobody knows where it was cut off
    done      the destination has stored every instance of it
    failed    tried as often as the site says

Everything here survives a restart: attempts, due times (seconds since 1970), the last problem in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from simulator.events import DispatchChanged
from simulator.gateway.index import Index

ANSWERED_WITH_WARNING = "forwarding.warning"
WARNINGS = frozenset((ANSWERED_WITH_WARNING,))
"""Stable ids of what is worth a word about how a study was stored downstream."""

_COLUMNS = (
    "number, destination, study_instance_uid, series_instance_uid, sop_instance_uid, state, attempts, due, problem"
)
_MISSING = """
    SELECT wanted.sop_instance_uid FROM dispatch_instance AS wanted JOIN dispatch ON dispatch.number = wanted.dispatch
    WHERE dispatch.number = ? AND NOT EXISTS (
        SELECT 1 FROM delivery
        WHERE delivery.sop_instance_uid = wanted.sop_instance_uid AND delivery.destination = dispatch.destination
    )
"""


@dataclass(frozen=True, slots=True)
class Selection:
    """What somebody wants sent: a whole study, one series of it (`series_instance_uid`), or one instance."""

    study_instance_uid: str
    series_instance_uid: str = ""
    sop_instance_uid: str = ""

    @property
    def whole_study(self) -> bool:
        """Whether it is neither a series nor an instance."""
        return not self.series_instance_uid and not self.sop_instance_uid

    @property
    def level(self) -> str:
        """`study`, `series` or `instance`."""
        return "instance" if self.sop_instance_uid else "series" if self.series_instance_uid else "study"


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A selection on its way to a destination. `due` is in seconds since 1970."""

    number: int
    destination: str
    selection: Selection
    state: str
    attempts: int
    due: float
    problem: str


class ForwardQueue:
    """The queues of all destinations. Safe for use from several threads."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def put(self, selection: Selection, destination: str, sop_instance_uids: Iterable[str], due: float) -> Dispatch:
        """Have these instances of the selection sent, in place of what was queued for the same before."""
        uids = tuple(sop_instance_uids)
        already = self._index.delivered(selection.study_instance_uid, destination)
        missing = sum(uid not in already for uid in uids)
        event = _event(selection, destination, "waiting", 0, missing, "")
        key = (destination, selection.study_instance_uid, selection.series_instance_uid, selection.sop_instance_uid)
        with self._index.transaction([event]) as db:
            self._drop(
                db,
                "destination = ? AND study_instance_uid = ? AND series_instance_uid = ? AND sop_instance_uid = ?",
                *key,
            )
            # A new number: whoever is still sending the one before finds it gone, and leaves this one alone.
            number = db.execute(
                f"INSERT INTO dispatch ({_COLUMNS}) VALUES (NULL, ?,?,?,?, 'waiting', 0, ?, '')",  # noqa: S608
                (*key, due),
            ).lastrowid
            db.executemany("INSERT INTO dispatch_instance VALUES (?,?)", [(number, uid) for uid in uids])
        return Dispatch(int(number or 0), destination, selection, "waiting", 0, due, "")

    def withdraw(self, study_instance_uid: str) -> None:
        """Take back everything of a study that has not been sent: it is not matched any more."""
        left = [each for each in self.of_study(study_instance_uid) if each.state in ("waiting", "sending")]
        events = [
            _event(each.selection, each.destination, "withdrawn", each.attempts, len(self.missing(each)), each.problem)
            for each in left
        ]
        if left:
            with self._index.transaction(events) as db:
                self._drop(db, "study_instance_uid = ? AND state IN ('waiting', 'sending')", study_instance_uid)

    def next(self, destination: str) -> Dispatch | None:
        """Return what is due first at the destination, now or later; studies that are being decided are passed over.

        What is `sending` is found too: the one thread that sends to the destination asks, so it was broken off.
        """
        rows = self._index.rows(
            f"SELECT {_columns('dispatch')} FROM dispatch JOIN study USING (study_instance_uid) "  # noqa: S608
            "WHERE destination = ? AND dispatch.state IN ('waiting', 'sending') "
            "AND study.state IN ('matched', 'forwarding', 'forwarded', 'failed') ORDER BY due, number LIMIT 1",
            destination,
        )
        return _dispatch(rows[0]) if rows else None

    def of_study(self, study_instance_uid: str) -> tuple[Dispatch, ...]:
        """Return everything of a study that was ever put here, the last for each selection and destination."""
        query = f"SELECT {_COLUMNS} FROM dispatch WHERE study_instance_uid = ? ORDER BY number"  # noqa: S608
        return tuple(_dispatch(row) for row in self._index.rows(query, study_instance_uid))

    def of_destination(self, destination: str) -> tuple[Dispatch, ...]:
        """Return everything for a destination, in the order in which it was put here."""
        query = f"SELECT {_COLUMNS} FROM dispatch WHERE destination = ? ORDER BY number"  # noqa: S608
        return tuple(_dispatch(row) for row in self._index.rows(query, destination))

    def outcome(self, study_instance_uid: str) -> str | None:
        """Return the state of a study as its destinations make it; None when it is for none.

        It is about the study as a whole: what was sent of it by series or instance leaves its state alone.
        """
        states = {each.state for each in self.of_study(study_instance_uid) if each.selection.whole_study}
        if not states:
            return None
        return "forwarding" if states & {"waiting", "sending"} else "failed" if "failed" in states else "forwarded"

    def busy(self, study_instance_uid: str) -> bool:
        """Tell whether something of the study is still to be sent somewhere."""
        return any(each.state in ("waiting", "sending") for each in self.of_study(study_instance_uid))

    def answers(self, study_instance_uid: str) -> dict[str, int]:
        """Return how many instances of the study were stored with each status, over all destinations."""
        query = (
            "SELECT status, count(*) FROM delivery JOIN instance USING (sop_instance_uid) "
            "WHERE study_instance_uid = ? GROUP BY status ORDER BY status"
        )
        return dict(self._index.rows(query, study_instance_uid))

    def warnings(self, study_instance_uid: str) -> tuple[str, ...]:
        """Return `forwarding.warning` where a destination stored an instance of the study with a warning status."""
        return (ANSWERED_WITH_WARNING,) if self.answers(study_instance_uid).keys() - {"0000"} else ()

    def unfinished(self) -> tuple[Dispatch, ...]:
        """Return everything that is still to be sent, in the order in which it was put here."""
        query = f"SELECT {_COLUMNS} FROM dispatch WHERE state IN ('waiting', 'sending') ORDER BY number"  # noqa: S608
        return tuple(_dispatch(row) for row in self._index.rows(query))

    def stands(self, dispatch: Dispatch) -> bool:
        """Tell whether it was neither taken back nor put anew."""
        return bool(self._index.rows("SELECT 1 FROM dispatch WHERE number = ?", dispatch.number))

    def instances(self, dispatch: Dispatch) -> int:
        """Return how many instances were decided upon."""
        rows = self._index.rows("SELECT count(*) FROM dispatch_instance WHERE dispatch = ?", dispatch.number)
        return int(rows[0][0])

    def missing(self, dispatch: Dispatch) -> frozenset[str]:
        """Return the SOP Instance UIDs of the dispatch that its destination has not stored yet."""
        return frozenset(row[0] for row in self._index.rows(_MISSING, dispatch.number))

    def begin(self, dispatch: Dispatch) -> bool:
        """Note that it is under way; False when it was taken back or put anew meanwhile."""
        with self._index.transaction(()) as db:
            changed = db.execute(
                "UPDATE dispatch SET state = 'sending', attempts = ? WHERE number = ?",
                (dispatch.attempts + 1, dispatch.number),
            )
            return changed.rowcount == 1

    def end(self, dispatch: Dispatch, state: str, due: float, problem: str) -> None:
        """Note how an attempt ended; `dispatch.attempts` counts it. Nothing happens when it was put anew meanwhile."""
        if not self.stands(dispatch):
            return
        missing = len(self.missing(dispatch))
        event = _event(dispatch.selection, dispatch.destination, state, dispatch.attempts, missing, problem)
        with self._index.transaction([event]) as db:
            db.execute(
                "UPDATE dispatch SET state = ?, attempts = ?, due = ?, problem = ? WHERE number = ?",
                (state, dispatch.attempts, due, problem, dispatch.number),
            )

    def come_back(self, number: int, state: str, due: float, problem: str) -> None:
        """Change a dispatch that waits, if it still does: its storage commitment report came."""
        rows = self._index.rows(f"SELECT {_COLUMNS} FROM dispatch WHERE number = ? AND state = 'waiting'", number)  # noqa: S608
        if rows:
            self.end(_dispatch(rows[0]), state, due, problem)

    def attempts(self, number: int) -> int:
        """Return how often a dispatch was tried."""
        rows = self._index.rows("SELECT attempts FROM dispatch WHERE number = ?", number)
        return int(rows[0][0]) if rows else 0

    def recover(self, latest: float) -> tuple[Dispatch, ...]:
        """Return what the last run was cut off at; it waits again, and nothing waits beyond `latest`.

        The attempt that was cut off does not count: it was not the destination that broke it off.
        """
        query = f"SELECT {_COLUMNS} FROM dispatch WHERE state = 'sending'"  # noqa: S608
        cut_off = tuple(_dispatch(row) for row in self._index.rows(query))
        with self._index.transaction(()) as db:
            db.execute("UPDATE dispatch SET state = 'waiting', attempts = attempts - 1 WHERE state = 'sending'")
            db.execute("UPDATE dispatch SET due = ?1 WHERE state = 'waiting' AND due > ?1", (latest,))
        return cut_off

    @staticmethod
    def _drop(db: Any, where: str, *values: str) -> None:
        numbers = db.execute(f"SELECT number FROM dispatch WHERE {where}", values).fetchall()  # noqa: S608
        db.executemany("DELETE FROM dispatch_instance WHERE dispatch = ?", numbers)
        db.executemany("DELETE FROM dispatch WHERE number = ?", numbers)


def _columns(table: str) -> str:
    return ", ".join(f"{table}.{column}" for column in _COLUMNS.split(", "))


def _dispatch(row: Sequence[Any]) -> Dispatch:
    return Dispatch(row[0], row[1], Selection(row[2], row[3], row[4]), row[5], row[6], row[7], row[8])


def _event(
    selection: Selection, destination: str, state: str, attempts: int, missing: int, problem: str
) -> DispatchChanged:
    return DispatchChanged(
        observer="gateway",
        study_instance_uid=selection.study_instance_uid,
        series_instance_uid=selection.series_instance_uid,
        sop_instance_uid=selection.sop_instance_uid,
        destination=destination,
        state=state,
        attempts=attempts,
        missing=missing,
        problem=problem,
    )
