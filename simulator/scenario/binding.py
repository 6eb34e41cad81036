"""Roles of a scenario that a real system plays: who is where, and what cannot be done with it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from simulator.errors import UsageError
from simulator.scenario.model import Case, Scenario
from simulator.scenario.model_steps import PlacedStep
from simulator.site import is_loopback
from simulator.strict_yaml import nearest
from simulator.wire.association import Address

GATEWAY, MODALITY, REMOTE = "gateway", "modality", "remote"
_OF_THE_PROCESS = ("kill", "restart")
_BY_ITS_API = ("forward", "reconcile")
_BY_THE_MODALITY = ("echo", "associate", "commit", "take_reports")

Bindings = Mapping[str, Address]
"""Real systems by the role that they play."""


def bindings(texts: Sequence[str], scenarios: Collection[Scenario], *, owned: bool) -> Bindings:
    """Return the bindings written `ROLE=AET@HOST:PORT`.

    ROLE is `gateway`, `modality`, `remote` (of a case that has one), or a remote SCP by the name that a scenario gives
    it. owned: whoever asks says that these systems are theirs to test; without it they must be on this machine.
    Raises `UsageError`.
    """
    found: dict[str, Address] = {}
    known = {GATEWAY, MODALITY, REMOTE, *(r for s in scenarios for case in s.cases for r in case.given.remote_scps)}
    for text in texts:
        role, equals, where = text.partition("=")
        if not equals:
            hint = "write ROLE=AET@HOST:PORT, as gateway=HAGW@192.0.2.7:104"
            raise UsageError(f"--bind {text!r} names no role", hint)
        if role not in known:
            raise UsageError(f"there is no role {role!r}", nearest(role, known) or f"roles: {', '.join(sorted(known))}")
        if role in found:
            raise UsageError(f"the role {role!r} is bound twice")
        found[role] = Address.parse(where)
        if not owned and not is_loopback(found[role].host):
            hint = "say --i-own-this-endpoint if it is yours and may be sent test data"
            raise UsageError(f"{where} is not on this machine", hint)
    return found


def of_case(bound: Bindings, case: Case) -> dict[str, Address]:
    """Return the bindings as this case names its roles: `remote` is the only one that it has."""
    remotes = case.given.remote_scps
    here = {role: address for role, address in bound.items() if role in (GATEWAY, MODALITY, *remotes)}
    if REMOTE in bound and len(remotes) == 1:
        here[next(iter(remotes))] = bound[REMOTE]
    return here


def obstacles(bound: Bindings, case: Case) -> Iterator[str]:
    """Yield why a case cannot be carried out with these real systems, a sentence each."""
    if REMOTE in bound and len(case.given.remotes) > 1:
        yield f"the case has several remote SCPs ({', '.join(case.given.remotes)}): bind them by name"
    here = of_case(bound, case)
    for placed in case.steps:
        yield from _undoable(placed, here)
    if MODALITY in here and case.mutate:
        yield f"a real modality tells no lie on request ({', '.join(case.mutate)})"
    for fault in case.faults:
        if set(fault.link) & set(here):
            yield f"nothing can be done to messages of a real system ({fault.on})"
    for name, spec in case.given.remotes.items():
        if name in here and spec.model_fields_set - {"destination"}:
            yield f"a real remote SCP behaves as it does, not as {name} is to"


def _undoable(placed: PlacedStep, here: Mapping[str, Address]) -> Iterator[str]:
    step, key = placed.step, placed.step.key
    if GATEWAY in here and key in _OF_THE_PROCESS:
        yield f"step {placed.id}: a real gateway is not ended by a test ({key})"
    if GATEWAY in here and (key in _BY_ITS_API or step.asks_remote):
        yield f"step {placed.id}: a real gateway has no HTTP API for it ({key})"
    if MODALITY in here and step.by is None:
        if key in _BY_THE_MODALITY and not step.asks_remote:
            yield f"step {placed.id}: a person would have to do it at the modality, and nobody could see it ({key})"
        if step.sends and (len(step.sends) > 1 or not isinstance(step.store, str)):
            yield f"step {placed.id}: a real modality sends a study as it does"
    if step.start_remote in here:
        yield f"step {placed.id}: a real remote SCP is not started by a test"
