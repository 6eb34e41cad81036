"""What of a case cannot be done to messages between two peers, or played from a script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from simulator.scenario.mistakes import Mistake
from simulator.scenario.model import Case
from simulator.strict_yaml import Path_, nearest
from simulator.wire import pdu_script
from simulator.wire.faults import Fault

_GATEWAY, _ORDERS = "gateway", "orders"


def not_to_be_injected(case: Case) -> Iterator[Mistake]:
    """Yield faults that cannot be read or done, on links that are none, and two at one message."""
    known = _links(case)
    taken: set[tuple[str, str]] = set()
    for number, fault in enumerate(case.faults):
        where: Path_ = ("fault", number) if isinstance(case.fault, tuple) else ("fault",)
        link = "->".join(fault.link)
        if link not in known:
            advice = nearest(link, known) or f"there are {', '.join(known)}"
            yield Mistake((*where, "on"), f"nobody speaks on {fault.on!r}", advice)
            continue
        try:
            asked = Fault.parse(fault.at, fault.do)
        except ValueError as error:
            yield Mistake(where, str(error))
            continue
        spoken = "HL7" if _ORDERS in fault.link else "DICOM"
        if asked.at.protocol != spoken:
            yield Mistake((*where, "at"), f"{link} speaks {spoken}; there will be no {asked.at}")
        if (link, fault.at) in taken:
            yield Mistake((*where, "at"), f"two faults are at {fault.at} of {link}", "one thing is done to one message")
        taken.add((link, fault.at))
    yield from _out_of_sight(case)


def _links(case: Case) -> list[str]:
    """Return every two peers who may speak to each other, the one who opens the connection first."""
    given = case.given
    remotes = [name for name, spec in given.remote_scps.items()]
    to_gateway = [
        "modality",
        *given.modalities,
        _ORDERS,
        *(name for name in remotes if not given.remote_scps[name].script),
    ]
    return [
        *(f"{name}->{_GATEWAY}" for name in to_gateway),
        *(f"{_GATEWAY}->{name}" for name in (*remotes, "modality")),
    ]


def _out_of_sight(case: Case) -> Iterator[Mistake]:
    """Yield modalities whose address counts: behind a relay the gateway sees the relay's."""
    specs = {"modality": case.given.modality, **case.given.modalities}
    for name in {fault.link[0] for fault in case.faults} & set(specs):
        if specs[name].address is not None:
            where = ("given", "modality") if name == "modality" else ("given", "modalities", name)
            advice = "the messages go through a relay, and the gateway sees its address"
            yield Mistake((*where, "address"), f"{name} has a fault on its way and cannot have an address", advice)


def not_to_be_played(case: Case) -> Iterator[Mistake]:
    """Yield scripts with steps that nobody can play, and remote SCPs that shall behave in another way beside one."""
    for name, peer in case.given.peers.items():
        yield from _steps(("given", "peers", name, "script"), peer.script)
    for name, remote in case.given.remotes.items():
        where: Path_ = ("given", "remotes", name)
        yield from _steps((*where, "script"), remote.script)
        others = sorted(remote.model_fields_set - {"script", "destination"})
        if remote.script and others:
            message = f"remote {name!r} plays a script and cannot behave in another way: {', '.join(others)}"
            yield Mistake((*where, others[0]), message)


def _steps(where: Path_, script: Sequence[Mapping[str, Any]]) -> Iterator[Mistake]:
    for number, step in enumerate(script):
        try:
            pdu_script.step(step)
        except ValueError as error:
            yield Mistake((*where, number), str(error))
