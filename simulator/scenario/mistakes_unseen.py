"""Expectations of a case that can never be seen, since no step of the story does what they are about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simulator.scenario import proposals
from simulator.scenario.mistakes import Mistake
from simulator.scenario.model import Case
from simulator.scenario.model_steps import Step
from simulator.strict_yaml import nearest


def never_seen(case: Case) -> Iterator[Mistake]:
    """Yield expectations of things that the story never does, and a case without any expectation."""
    yield from _unseen_acts(case)
    yield from _unseen_orders(case)
    yield from _unseen_studies(case)
    yield from _unseen_peers(case)
    yield from _unseen_lengths(case)
    if not _leaves(case.then.model_dump()):
        yield Mistake(("then",), "nothing is expected: a scenario without a check proves nothing")


def _unseen_acts(case: Case) -> Iterator[Mistake]:
    """Yield expectations of an echo, of associations and of an operator's rulings."""
    if case.then.wire.echo is not None and not any(_echoes(step) for _, _, step in case.steps):
        yield Mistake(("then", "wire", "echo"), "no step asks for an echo, so no answer can be seen")
    answers = case.then.operator.answers
    rulings = sum(step.reconcile is not None for _, _, step in case.steps)
    if answers is not None and len(answers) != rulings:
        message = f"{len(answers)} answers are expected, and {rulings} steps reconcile"
        yield Mistake(("then", "operator", "answers"), message)
    for remote in set(case.then.gateway.verifications or {}) - {step.asks_remote for _, _, step in case.steps}:
        message = f"no step has the gateway ask {remote!r} for Verification"
        yield Mistake(("then", "gateway", "verifications", remote), message, f"echo: {{to: {remote}}}")
    asked = {name for name, _ in _associations(case)}
    for name in set(case.then.wire.associations) - asked:
        message = f"no step associates as {name!r}"
        yield Mistake(("then", "wire", "associations", name), message, nearest(name, asked))


def _echoes(step: Step) -> bool:
    asked = step.associate
    asks = asked is not None and not asked.hold and proposals.verification_in(asked)
    return asks or (step.echo is not None and not step.asks_remote)


def _associations(case: Case) -> Iterator[tuple[str, int | None]]:
    """Yield each association that has a name, with the maximum length that its modality announces."""
    for _, _, step in case.steps:
        by = case.given.modalities.get(step.by or "", case.given.modality)
        if step.associate is not None:
            own = step.associate.maximum_length
            yield step.associate.name, by.maximum_length if own is None else own
        elif step.storing is not None and step.storing.name is not None:
            yield step.storing.name, by.maximum_length


def _unseen_lengths(case: Case) -> Iterator[Mistake]:
    """Yield expectations of lengths of P-DATA-TF of those who announce none, and so measure none."""
    announced = dict(_associations(case))
    advice = "maximum_length is what it announces"
    for name, association in case.then.wire.associations.items():
        if association.longest_pdu is not None and name in announced and announced[name] is None:
            path = ("then", "wire", "associations", name, "longest_pdu")
            yield Mistake(path, f"the modality of {name!r} announces no maximum length", advice)
    for remote, there in case.then.downstream.remotes.items():
        spec = case.given.remotes.get(remote)
        if there.longest_pdu is not None and spec is not None and spec.maximum_length is None:
            path = ("then", "downstream", "remotes", remote, "longest_pdu")
            yield Mistake(path, f"remote {remote!r} announces no maximum length", advice)


def _unseen_orders(case: Case) -> Iterator[Mistake]:
    sent = {step.send_order or step.about for _, _, step in case.steps if step.send_order or step.about}
    placed = {step.send_order for _, _, step in case.steps if step.send_order}
    for name, expected in case.then.wire.orders.items():
        if name not in case.given.orders:
            continue  # told where its name stands
        path = ("then", "wire", "orders", name)
        if name not in sent:
            yield Mistake(path, f"no step sends order {name!r}")
        elif name not in placed and expected.acknowledgement is not None:
            advice = "acknowledgements is about every message that has to do with an order"
            yield Mistake((*path, "acknowledgement"), f"no step sends order {name!r} itself", advice)


def _unseen_studies(case: Case) -> Iterator[Mistake]:
    given = set(case.given.studies)
    stored = {study for _, _, step in case.steps for study in step.sends}
    committed = {step.commit.study for _, _, step in case.steps if step.commit}
    for study in set(case.then.wire.commitments) & given - committed:
        yield Mistake(("then", "wire", "commitments", study), f"no step asks for commitment of study {study!r}")
    for where in ("wire", "gateway", "downstream"):
        for study in set(getattr(case.then, where).studies) & given - stored:
            yield Mistake(("then", where, "studies", study), f"no step stores study {study!r}")
    for remote, there in case.then.downstream.remotes.items():
        for study in set(there.studies) & given - stored:
            path = ("then", "downstream", "remotes", remote, "studies", study)
            yield Mistake(path, f"no step stores study {study!r}")


def _unseen_peers(case: Case) -> Iterator[Mistake]:
    played = {step.play for _, _, step in case.steps if step.play}
    for name in set(case.then.wire.peers) & set(case.given.peers) - played:
        yield Mistake(("then", "wire", "peers", name), f"no step lets {name!r} play its script")


def _leaves(content: Any) -> bool:
    """Tell whether anything at all stands in nested mappings."""
    if isinstance(content, dict):
        return any(_leaves(value) for value in content.values())
    return content is not None
