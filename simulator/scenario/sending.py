"""Which instances of which study a modality sends over which association, in which order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import zip_longest

from simulator.scenario.model_steps import Store
from simulator.scenario.plan import PlannedStudy
from simulator.wire.association import Outgoing

_Turn = tuple[PlannedStudy, int]


@dataclass(frozen=True, slots=True)
class Sending:
    """What goes over one association: instances in their order, each made while the one before it is sent.

    `pairs`: every SOP Class UID with every transfer syntax UID that they may be in.
    """

    pairs: tuple[tuple[str, str], ...]
    turns: Sequence[_Turn]

    def __len__(self) -> int:
        return len(self.turns)

    def __iter__(self) -> Iterator[tuple[str, Outgoing]]:
        """Yield each instance with the Study Instance UID of its study, also where it lies about that."""
        with ThreadPoolExecutor(1, "making") as maker:
            ahead: Future[tuple[str, Outgoing]] | None = None
            for turn in self.turns:
                made, ahead = ahead, maker.submit(_made, *turn)
                if made is not None:
                    yield made.result()
            if ahead is not None:
                yield ahead.result()


def _made(study: PlannedStudy, place: int) -> tuple[str, Outgoing]:
    return study.study_instance_uid, study.outgoing(place)


def sendings(store: Store, studies: Mapping[str, PlannedStudy]) -> tuple[Sending, ...]:
    """Return what each of the associations of a step carries.

    Several studies come in turns, one instance of each. Associations one after the other have a share each in this
    order; associations at once take turns.
    """
    sent = [studies[name] for name in store.names]
    pairs = tuple(dict.fromkeys(pair for study in sent for pair in study.pairs))
    each = [[(study, place) for place in range(len(study))] for study in sent]
    turns = [turn for turns in zip_longest(*each) for turn in turns if turn is not None]
    if store.at_once:
        shares = [turns[number :: store.associations] for number in range(store.associations)]
    else:
        size = -(-len(turns) // store.associations)
        shares = [turns[at : at + size] for at in range(0, len(turns), size)]
    return tuple(Sending(pairs, share) for share in shares)
