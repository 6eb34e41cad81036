"""Names in a case that stand for nothing: of orders, studies, remote SCPs, lies and SOP classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from simulator.rules import sop_classes
from simulator.scenario import proposals
from simulator.scenario.mistakes import Mistake, endings
from simulator.scenario.model import Case
from simulator.scenario.model_steps import AssociateSpec, Store
from simulator.strict_yaml import Path_, nearest
from simulator.synthesis.classes import CLASSES
from simulator.synthesis.lies import LIES

_TO_LIST = 100
_NAMES_IN_A_STEP = {
    "send_order": "order",
    "change_order.order": "order",
    "cancel_order": "order",
    "update_patient.order": "order",
    "merge_patient": "order",
    "store": "study",
    "store.study": "study",
    "store.by": "modality",
    "echo.by": "modality",
    "echo.to": "remote",
    "associate.by": "modality",
    "commit.by": "modality",
    "play": "peer",
    "wait.study": "study",
    "commit.study": "study",
    "reconcile.study": "study",
    "reconcile.order": "order",
    "forward.study": "study",
    "forward.to": "remote",
    "start_remote": "remote",
}


def unknown_names(case: Case) -> Iterator[Mistake]:
    """Yield every name that stands for nothing, with near misses."""
    for path, name, known, kind in _names(case):
        if name not in known:
            listed = ", ".join(sorted(known)) if len(known) < _TO_LIST else "see PS3.6 annex A"
            advice = nearest(name, known) or f"known: {listed or 'none'}"
            yield Mistake(path, f"no {kind} {name!r}", advice)


def _names(case: Case) -> Iterator[tuple[Path_, str, set[str], str]]:
    """Yield every place where a name is used: path, the name, what it may be, and what kind of thing it names."""
    orders, studies, lies = set(case.given.orders), set(case.given.studies), set(LIES)
    for order, each in case.given.orders.items():
        if each.person is not None:
            yield ("given", "orders", order, "person"), each.person, set(case.given.people), "person"
    for study, spec in case.given.studies.items():
        yield ("given", "studies", study, "order"), spec.order, orders, "order"
        if spec.again is not None:
            yield ("given", "studies", study, "again"), spec.again, studies - {study}, "study"
    for where, text in _sop_classes(case):
        yield ("given", *where), text, _sop_class_words(text), "SOP class"
    for study, told in case.mutate.items():
        yield ("mutate", study), study, studies, "study"
        for number, lie in enumerate(told):
            yield ("mutate", study, number), lie, lies, "lie"
    known = {
        "order": orders,
        "study": studies,
        "remote": set(case.given.remote_scps),
        "modality": set(case.given.modalities),
        "peer": set(case.given.peers),
        "scripted peer": {*case.given.peers, *(name for name, spec in case.given.remotes.items() if spec.script)},
    }
    yield from _names_in_steps(case, known)
    for where, name, kind in _names_in_expectations(case):
        yield ("then", *where), name, known[kind], kind
    for remote, study, arrival in case.then.downstream.arrivals():
        if arrival.keys is not None:
            path = ("then", "downstream", *(("remotes", remote) if remote else ()), "studies", study, "keys")
            yield path, arrival.keys, orders | {"study"}, "order"


def _sop_classes(case: Case) -> Iterator[tuple[Path_, str]]:
    """Yield the path below `given`, and what stands there for a SOP class."""
    for study, spec in case.given.studies.items():
        for number, series in enumerate(spec.series):
            yield ("studies", study, "series", number, "sop_class"), series.sop_class
    for remote, behaviour in case.given.remotes.items():
        for number, taken in enumerate(behaviour.takes):
            yield ("remotes", remote, "takes", number), taken


def _names_in_steps(case: Case, known: Mapping[str, set[str]]) -> Iterator[tuple[Path_, str, set[str], str]]:
    for _, path, step in case.steps:
        for place, kind in _NAMES_IN_A_STEP.items():
            keys = place.split(".")
            if (name := _value(step, keys)) is not None:
                yield ("when", *path, *keys), name, known[kind], kind
        if isinstance(step.store, Store):
            for number, study in enumerate(step.store.studies):
                yield ("when", *path, "store", "studies", number), study, known["study"], "study"
        if step.associate is not None:
            yield from _names_in_proposals(("when", *path, "associate", "propose"), step.associate)
    for path, ending in endings(case):
        if ending.storing is not None:
            yield (*path, "storing"), ending.storing, known["study"], "study"


def _names_in_proposals(path: Path_, asked: AssociateSpec) -> Iterator[tuple[Path_, str, set[str], str]]:
    for number, each in enumerate(asked.propose):
        yield (*path, number, "sop_class"), each.sop_class, _words_of_the_standard(each.sop_class), "SOP class"
        for place, syntax in enumerate(each.transfer_syntaxes):
            where = (*path, number, "transfer_syntaxes", place)
            yield where, syntax, _words_of_the_standard(syntax), "transfer syntax"


def _words_of_the_standard(text: str) -> set[str]:
    """Return the words that name a UID: `text` itself where it is one."""
    try:
        proposals.uid(text)
    except KeyError:
        return set(proposals.KEYWORDS)
    return {text}


def _value(model: object, keys: Sequence[str]) -> str | None:
    """Return what stands below a model under keys, None where one of them is not given."""
    for key in keys:
        model = getattr(model, key, None)
    return model if isinstance(model, str) else None


def _names_in_expectations(case: Case) -> Iterator[tuple[Path_, str, str]]:
    """Yield the path below `then`, the name, and what kind of thing it names."""
    for order in case.then.wire.orders:
        yield ("wire", "orders", order), order, "order"
    for peer in case.then.wire.peers:
        yield ("wire", "peers", peer), peer, "scripted peer"
    for study in case.then.wire.commitments:
        yield ("wire", "commitments", study), study, "study"
    for where in ("wire", "gateway", "downstream"):
        for study in getattr(case.then, where).studies:
            yield (where, "studies", study), study, "study"
    for remote in case.then.gateway.verifications or {}:
        yield ("gateway", "verifications", remote), remote, "remote"
    for name, expected in case.then.gateway.studies.items():
        for remote in expected.destinations:
            yield ("gateway", "studies", name, "destinations", remote), remote, "remote"
    for remote, there in case.then.downstream.remotes.items():
        yield ("downstream", "remotes", remote), remote, "remote"
        for study in there.studies:
            yield ("downstream", "remotes", remote, "studies", study), study, "study"


def _sop_class_words(text: str) -> set[str]:
    """Return the words that name a SOP class that can be made: `text` itself where it is one."""
    try:
        found = sop_classes.by_name(text)
    except KeyError:
        return set(CLASSES)
    return {*CLASSES, text} if found.keyword in CLASSES else set(CLASSES)
