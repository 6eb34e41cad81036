"""What of a case cannot be made or done: lies, pixels, requests, and more than there is."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.rules import sop_classes
from simulator.scenario.mistakes import Mistake, endings
from simulator.scenario.model import Case
from simulator.scenario.model_given import SeriesSpec
from simulator.scenario.model_steps import AssociateSpec, Commit, Forward, Store
from simulator.strict_yaml import Path_
from simulator.synthesis import compression
from simulator.synthesis.classes import image_class
from simulator.synthesis.lies import LIES, conflict
from simulator.wire.association import MAXIMUM_CONTEXTS


def not_to_be_made(case: Case) -> Iterator[Mistake]:
    """Yield what cannot be made: two lies about one thing, lies nobody tells, pixels that a syntax cannot hold."""
    for study, told in case.mutate.items():
        lies = [LIES[name] for name in told if name in LIES]
        if about := conflict(lies):
            yield Mistake(("mutate", study), f"two lies about {about}", "one thing holds one lie")
        spec = case.given.studies.get(study)
        for lie in lies:
            if spec and not any(lie.tells(place) for place in range(min(2, spec.instances))):
                message = f"no instance tells {lie.name!r}: it is for {lie.told_by}"
                yield Mistake(("mutate", study), message, "the study needs two instances")
    if not case.given.site.get("gateway", {}).get("tls"):
        for name, remote in case.given.remotes.items():
            if remote.tls is not None:
                advice = "given.site.gateway.tls, with its ca, and destination: {tls: true}"
                yield Mistake(("given", "remotes", name, "tls"), "the site has no TLS to call it with", advice)
    for study, spec in case.given.studies.items():
        for number, series in enumerate(spec.series):
            if reason := _refusal(series):
                yield Mistake(("given", "studies", study, "series", number, "transfer_syntax"), reason)


def _refusal(series: SeriesSpec) -> str:
    try:
        kind = image_class(sop_classes.by_name(series.sop_class))
    except (KeyError, ValueError):
        return ""  # told where the name of the class stands
    return compression.refusal(compression.by_name(series.transfer_syntax), kind.pixels) or ""


_BY_ITSELF = ("restart", "kill", "start_remote", "take_reports")


def not_to_be_done(case: Case) -> Iterator[Mistake]:
    """Yield what no step can do: with more than there is, without what comes before it, or what is done already."""
    asked = 0  # how often a step before asks for commitment
    for number, path, step in case.steps:
        where: Path_ = ("when", *path)
        if step.wait is not None and step.wait.report is not None and not asked:
            message = "no step before asks for commitment, so there will be no report"
            yield Mistake((*where, "wait", "report"), message)
        if step.commit is not None:
            yield from _commitment_not_to_be_asked((*where, "commit"), step.commit, case, asked)
            asked += 1
        if step.start_remote is not None:
            yield from _remote_that_listens((*where, "start_remote"), step.start_remote, case, number)
        if step.forward is not None:
            yield from _not_there_to_forward((*where, "forward"), step.forward, case)
        if step.storing is not None:
            yield from _not_there_to_send((*where, "store"), step.storing, case)
        if step.associate is not None:
            yield from _not_to_be_proposed((*where, "associate"), step.associate)
        if len(path) > 1 and step.key in _BY_ITSELF:
            advice = "the others would find it gone, or not, as chance has it"
            yield Mistake((*where, step.key), f"{step.key} cannot be done together with other steps", advice)
    for path, ending in endings(case):
        spec = case.given.studies.get(ending.storing or "")
        if spec and ending.after is not None and ending.after > spec.instances:
            yield Mistake((*path, "after"), f"the study has {spec.instances} instances")


def _commitment_not_to_be_asked(path: Path_, commit: Commit, case: Case, asked: int) -> Iterator[Mistake]:
    """Yield what no request is: of more instances than there are, or repeated without a first."""
    spec = case.given.studies.get(commit.study)
    changed = commit.leave_out + commit.another_class + commit.unsupported_class
    if spec and changed > spec.instances:
        yield Mistake(path, f"{changed} instances are left out or changed of {spec.instances}")
    if commit.transaction == "repeated" and not asked:
        message = "no step before asks for commitment, so nothing can be repeated"
        yield Mistake((*path, "transaction"), message)


def _remote_that_listens(path: Path_, name: str, case: Case, number: int) -> Iterator[Mistake]:
    spec = case.given.remote_scps.get(name)
    started = [earlier.step.start_remote for earlier in case.steps[:number]]
    if spec and (spec.starts == "up" or name in started):
        yield Mistake(path, f"remote {name!r} listens already")


def _not_there_to_send(path: Path_, store: Store, case: Case) -> Iterator[Mistake]:
    known = [case.given.studies[name] for name in store.names if name in case.given.studies]
    instances = sum(spec.instances for spec in known)
    if known and store.associations > instances:
        message = f"there are {instances} instances to send over {store.associations} associations"
        yield Mistake((*path, "associations"), message)


def _not_to_be_proposed(path: Path_, asked: AssociateSpec) -> Iterator[Mistake]:
    proposed = len(asked.propose)
    if asked.contexts is not None and not proposed:
        yield Mistake((*path, "contexts"), "contexts are those of propose over and over, and there is none")
    elif asked.contexts is not None and asked.contexts < proposed:
        yield Mistake((*path, "contexts"), f"{proposed} contexts are proposed and do not fit into {asked.contexts}")
    elif proposed > MAXIMUM_CONTEXTS:
        message = f"{proposed} contexts are proposed; an association has {MAXIMUM_CONTEXTS} at most (PS3.8 9.3.2.2)"
        yield Mistake((*path, "propose"), message)


def _not_there_to_forward(path: Path_, forward: Forward, case: Case) -> Iterator[Mistake]:
    spec = case.given.studies.get(forward.study)
    if spec is None:
        return
    chosen = forward.series or 1
    if chosen > len(spec.series):
        yield Mistake((*path, "series"), f"the study has {len(spec.series)} series")
    elif (forward.instance or 1) > spec.series[chosen - 1].instances:
        yield Mistake((*path, "instance"), f"series {chosen} has {spec.series[chosen - 1].instances} instances")
