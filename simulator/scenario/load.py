"""Loads scenario files: strictly, and with every mistake of a file at once as file:line:column."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap

from simulator import resources, strict_yaml
from simulator.errors import LoadError, Problem, UsageError
from simulator.rules import sop_classes
from simulator.scenario import requirements
from simulator.scenario.model import Case, Scenario, Story
from simulator.scenario.model_given import SeriesSpec
from simulator.scenario.model_steps import Ending
from simulator.site import Site, merged
from simulator.strict_yaml import Path_, nearest
from simulator.synthesis import compression
from simulator.synthesis.classes import CLASSES, image_class
from simulator.synthesis.lies import LIES, conflict

_OVERLAID = ("given", "mutate", "when", "then")
_Origins = Sequence[tuple[CommentedMap, Path_]]


def files() -> dict[str, Path]:
    """Return every scenario file by the scenario's name, which is the file's, in the order of their paths."""
    found = sorted(resources.folder("scenarios", "*.yaml").rglob("*.yaml"))
    return {file.stem: file for file in found}


def named(name: str) -> Scenario:
    """Return the scenario `name`. Raises `UsageError` with near misses, or `LoadError`."""
    known = files()
    if name not in known:
        advice = nearest(name, known) or f"looked in {resources.folder('scenarios', '*.yaml')}; see `simulate list`"
        raise UsageError(f"there is no scenario {name!r}", advice)
    return load(known[name])


def everything() -> tuple[Scenario, ...]:
    """Return all scenarios. Raises `LoadError` with the mistakes of every file."""
    loaded: list[Scenario] = []
    problems: list[Problem] = []
    for file in files().values():
        try:
            loaded.append(load(file))
        except LoadError as error:
            problems.extend(error.problems)
    if problems:
        raise LoadError(problems)
    return tuple(loaded)


def load(file: Path) -> Scenario:
    """Return the scenario in `file`. Raises `LoadError` with every mistake that was found."""
    document = strict_yaml.read(file)
    story = strict_yaml.validate(Story, document, file)
    problems = list(_story_problems(story, document, file))
    cases: list[Case] = []
    for name, content, origins in _cases(story, document):
        try:
            case = strict_yaml.validate(Case, content, file, origins)
        except LoadError as error:
            problems.extend(error.problems)
            continue
        problems.extend(_case_problems(case, origins, file))
        cases.append(case.model_copy(update={"name": name}))
    if problems:
        raise LoadError(sorted(set(problems), key=lambda p: (p.line, p.column, p.message)))
    return Scenario(
        name=story.scenario,
        title=story.title,
        explain=story.explain.strip(),
        level=story.level,
        tags=story.tags,
        verifies=story.verifies,
        cases=tuple(cases),
        file=str(file),
    )


def _cases(story: Story, document: CommentedMap) -> Iterator[tuple[str, dict[str, Any], _Origins]]:
    """Yield each case: its name, its content with everything laid over and filled in, and where that stands."""
    base = {key: strict_yaml.plain(document[key]) for key in _OVERLAID if key in document}
    if isinstance(story.for_each, dict):
        axes = story.for_each
        for values in itertools.product(*axes.values()) if axes else [()]:
            chosen = dict(zip(axes, values, strict=True))
            yield _case_name(chosen), _filled(base, chosen), [(document, ())]
        return
    if not story.for_each:
        yield "", base, [(document, ())]
    for number, row in enumerate(story.for_each):
        written = strict_yaml.plain(document["for_each"][number])
        overlay = {key: written[key] for key in _OVERLAID if key in written}
        origins = [(document, ("for_each", number)), (document, ())]
        yield _case_name(row.with_), _filled(merged(base, overlay), row.with_), origins


def _case_name(values: dict[str, str | int]) -> str:
    return "-".join(str(value) for value in values.values())


def _filled(content: Any, values: dict[str, str | int]) -> Any:
    """Return `content` with every text that is `$name` replaced by the case's value of that name."""
    if isinstance(content, dict):
        return {key: _filled(value, values) for key, value in content.items()}
    if isinstance(content, list):
        return [_filled(value, values) for value in content]
    if isinstance(content, str) and content.startswith("$"):
        return values.get(content[1:], content)
    return content


def _story_problems(story: Story, document: CommentedMap, file: Path) -> Iterator[Problem]:
    if story.scenario != file.stem:
        yield _problem(
            file, [(document, ())], ("scenario",), f"the file of scenario {story.scenario!r} must be named so"
        )
    known = requirements.register()
    for number, requirement in enumerate(story.verifies):
        if requirement not in known:
            path = ("verifies", number)
            yield _problem(file, [(document, ())], path, f"no requirement {requirement!r}", nearest(requirement, known))
    names = [name for name, _, _ in _cases(story, document)]
    for name in {name for name in names if names.count(name) > 1}:
        yield _problem(
            file, [(document, ())], ("for_each",), f"two cases are named {name!r}", "their values must differ"
        )


def _case_problems(case: Case, origins: _Origins, file: Path) -> Iterator[Problem]:
    """Yield what no single key shows: names that stand for nothing, and expectations that can never be seen."""
    orders, studies = set(case.given.orders), set(case.given.studies)
    for path, name, known, kind in _names(case):
        if name not in known:
            advice = nearest(name, known) or f"known: {', '.join(sorted(known)) or 'none'}"
            yield _problem(file, origins, path, f"no {kind} {name!r}", advice)
    yield from _unmakeable(case, origins, file)
    yield from _unaskable(case, origins, file)
    yield from _site_problems(case, origins, file)
    yield from _unseen(case, origins, file, orders, studies)
    if not case.then.model_dump(exclude_unset=True, exclude_none=True) or not _leaves(case.then.model_dump()):
        yield _problem(file, origins, ("then",), "nothing is expected: a scenario without a check proves nothing")


def _names(case: Case) -> Iterator[tuple[Path_, str, set[str], str]]:
    """Yield every place where a name is used: path, the name, what it may be, and what kind of thing it names."""
    orders, studies, lies = set(case.given.orders), set(case.given.studies), set(LIES)
    for study, spec in case.given.studies.items():
        yield ("given", "studies", study, "order"), spec.order, orders, "order"
        if spec.again is not None:
            yield ("given", "studies", study, "again"), spec.again, studies - {study}, "study"
        for number, series in enumerate(spec.series):
            path = ("given", "studies", study, "series", number, "sop_class")
            yield path, series.sop_class, _sop_class_words(series.sop_class), "SOP class"
    for study, told in case.mutate.items():
        yield ("mutate", study), study, studies, "study"
        for number, lie in enumerate(told):
            yield ("mutate", study, number), lie, lies, "lie"
    known = {"order": orders, "study": studies, "remote": _remotes(case)}
    yield from _names_in_steps(case, known)
    for where, name, kind in _names_in_expectations(case):
        yield ("then", *where), name, known[kind], kind
    for remote, study, arrival in case.then.downstream.arrivals():
        if arrival.keys is not None:
            path = ("then", "downstream", *(("remotes", remote) if remote else ()), "studies", study, "keys")
            yield path, arrival.keys, orders | {"study"}, "order"


def _remotes(case: Case) -> set[str]:
    return set(case.given.remotes) or {"remote1"}


_NAMES_IN_A_STEP = {
    "send_order": "order",
    "change_order.order": "order",
    "cancel_order": "order",
    "update_patient.order": "order",
    "merge_patient": "order",
    "store": "study",
    "wait.study": "study",
    "commit.study": "study",
    "reconcile.study": "study",
    "reconcile.order": "order",
    "forward.study": "study",
    "forward.to": "remote",
    "start_remote": "remote",
}


def _names_in_steps(case: Case, known: Mapping[str, set[str]]) -> Iterator[tuple[Path_, str, set[str], str]]:
    for number, step in enumerate(case.when):
        for place, kind in _NAMES_IN_A_STEP.items():
            keys = place.split(".")
            if (name := _value(step, keys)) is not None:
                yield ("when", number, *keys), name, known[kind], kind
    for path, ending in _endings(case):
        if ending.storing is not None:
            yield (*path, "storing"), ending.storing, known["study"], "study"


def _value(model: object, keys: Sequence[str]) -> str | None:
    """Return what stands below a model under keys, None where one of them is not given."""
    for key in keys:
        model = getattr(model, key, None)
    return model if isinstance(model, str) else None


def _names_in_expectations(case: Case) -> Iterator[tuple[Path_, str, str]]:
    """Yield the path below `then`, the name, and what kind of thing it names."""
    for order in case.then.wire.orders:
        yield ("wire", "orders", order), order, "order"
    for study in case.then.wire.commitments:
        yield ("wire", "commitments", study), study, "study"
    for where in ("wire", "gateway", "downstream"):
        for study in getattr(case.then, where).studies:
            yield (where, "studies", study), study, "study"
    for name, expected in case.then.gateway.studies.items():
        for remote in expected.destinations:
            yield ("gateway", "studies", name, "destinations", remote), remote, "remote"
    for remote, there in case.then.downstream.remotes.items():
        yield ("downstream", "remotes", remote), remote, "remote"
        for study in there.studies:
            yield ("downstream", "remotes", remote, "studies", study), study, "study"


def _endings(case: Case) -> Iterator[tuple[Path_, Ending]]:
    """Yield every step that ends the gateway and starts it again, with its path."""
    for number, step in enumerate(case.when):
        if step.ending is not None:
            yield ("when", number, "restart" if step.restart is not None else "kill"), step.ending


def _sop_class_words(text: str) -> set[str]:
    """Return the words that name a SOP class that can be made: `text` itself where it is one."""
    try:
        found = sop_classes.by_name(text)
    except KeyError:
        return set(CLASSES)
    return {*CLASSES, text} if found.keyword in CLASSES else set(CLASSES)


def _unmakeable(case: Case, origins: _Origins, file: Path) -> Iterator[Problem]:
    """Yield what cannot be made: two lies about one thing, lies nobody tells, pixels that a syntax cannot hold."""
    for study, told in case.mutate.items():
        lies = [LIES[name] for name in told if name in LIES]
        if about := conflict(lies):
            yield _problem(file, origins, ("mutate", study), f"two lies about {about}", "one thing holds one lie")
        spec = case.given.studies.get(study)
        instances = sum(series.instances for series in spec.series) if spec else 0
        for lie in lies:
            if spec and not any(lie.tells(place) for place in range(min(2, instances))):
                message = f"no instance tells {lie.name!r}: it is for {lie.told_by}"
                yield _problem(file, origins, ("mutate", study), message, "the study needs two instances")
    for study, spec in case.given.studies.items():
        for number, series in enumerate(spec.series):
            if reason := _refusal(series):
                path = ("given", "studies", study, "series", number, "transfer_syntax")
                yield _problem(file, origins, path, reason)


def _unaskable(case: Case, origins: _Origins, file: Path) -> Iterator[Problem]:
    """Yield what no commitment request can be: of more instances than there are, or repeated without a first."""
    earlier = 0
    for number, step in enumerate(case.when):
        where: Path_ = ("when", number)
        if step.wait is not None and step.wait.report is not None and not earlier:
            message = "no step before asks for commitment, so there will be no report"
            yield _problem(file, origins, (*where, "wait", "report"), message)
        if step.commit is None:
            continue
        spec = case.given.studies.get(step.commit.study)
        instances = sum(series.instances for series in spec.series) if spec else 0
        changed = step.commit.leave_out + step.commit.another_class + step.commit.unsupported_class
        if spec and changed > instances:
            message = f"{changed} instances are left out or changed of {instances}"
            yield _problem(file, origins, (*where, "commit"), message)
        if step.commit.transaction == "repeated" and not earlier:
            message = "no step before asks for commitment, so nothing can be repeated"
            yield _problem(file, origins, (*where, "commit", "transaction"), message)
        earlier += 1


def _refusal(series: SeriesSpec) -> str:
    try:
        kind = image_class(sop_classes.by_name(series.sop_class))
    except (KeyError, ValueError):
        return ""  # told where the name of the class stands
    return compression.refusal(compression.by_name(series.transfer_syntax), kind.pixels) or ""


def _site_problems(case: Case, origins: _Origins, file: Path) -> Iterator[Problem]:
    content = Site().model_dump(mode="json")
    later = [((*path, "site"), ending.site) for path, ending in _endings(case)]
    for path, changes in [(("given", "site"), case.given.site), *later]:
        content = merged(content, changes)
        try:
            strict_yaml.validate(Site, content, file, [(document, (*prefix, *path)) for document, prefix in origins])
        except LoadError as error:
            yield from error.problems
            return


def _unseen(case: Case, origins: _Origins, file: Path, orders: set[str], studies: set[str]) -> Iterator[Problem]:
    """Yield expectations of things that the story never does."""
    if case.then.wire.echo is not None and not any(step.echo for step in case.when):
        yield _problem(file, origins, ("then", "wire", "echo"), "no step asks for an echo, so no answer can be seen")
    for path, ending in _endings(case):
        spec = case.given.studies.get(ending.storing or "")
        instances = sum(series.instances for series in spec.series) if spec else 0
        if spec and ending.after is not None and ending.after > instances:
            yield _problem(file, origins, (*path, "after"), f"the study has {instances} instances")
    for path, message, advice in (
        *_unseen_acts(case),
        *_unseen_orders(case, orders),
        *_unseen_studies(case, studies),
    ):
        yield _problem(file, origins, ("then", *path), message, advice)
    yield from _never_there(case, origins, file)


def _unseen_acts(case: Case) -> Iterator[tuple[Path_, str, str]]:
    """Yield the path below `then`, what is wrong, and advice, of associations and an operator's rulings."""
    answers = case.then.operator.answers
    rulings = sum(step.reconcile is not None for step in case.when)
    if answers is not None and len(answers) != rulings:
        yield ("operator", "answers"), f"{len(answers)} answers are expected, and {rulings} steps reconcile", ""
    asked = {step.associate.name for step in case.when if step.associate}
    for name in set(case.then.wire.associations) - asked:
        yield ("wire", "associations", name), f"no step associates as {name!r}", nearest(name, asked)


def _unseen_orders(case: Case, orders: set[str]) -> Iterator[tuple[Path_, str, str]]:
    sent = {step.send_order or step.about for step in case.when if step.send_order or step.about}
    placed = {step.send_order for step in case.when if step.send_order}
    for name, expected in case.then.wire.orders.items():
        if expected.acknowledgement is not None and name in orders & sent - placed:
            advice = "acknowledgements is about every message that has to do with an order"
            yield ("wire", "orders", name, "acknowledgement"), f"no step sends order {name!r} itself", advice
    for order in set(case.then.wire.orders) & orders - sent:
        yield ("wire", "orders", order), f"no step sends order {order!r}", ""


def _unseen_studies(case: Case, studies: set[str]) -> Iterator[tuple[Path_, str, str]]:
    stored = {step.sends for step in case.when if step.sends}
    committed = {step.commit.study for step in case.when if step.commit}
    for study in set(case.then.wire.commitments) & studies - committed:
        yield ("wire", "commitments", study), f"no step asks for commitment of study {study!r}", ""
    for where in ("wire", "gateway", "downstream"):
        for study in set(getattr(case.then, where).studies) & studies - stored:
            yield (where, "studies", study), f"no step stores study {study!r}", ""
    for remote, there in case.then.downstream.remotes.items():
        for study in set(there.studies) & studies - stored:
            yield ("downstream", "remotes", remote, "studies", study), f"no step stores study {study!r}", ""


def _never_there(case: Case, origins: _Origins, file: Path) -> Iterator[Problem]:
    """Yield what is counted beyond what there is, and remote SCPs that are started where they listen already."""
    for number, step in enumerate(case.when):
        down = {name for name, spec in case.given.remotes.items() if spec.starts == "down"}
        started = [earlier.start_remote for earlier in case.when[:number]]
        name = step.start_remote
        if name in _remotes(case) and (name not in down or name in started):
            yield _problem(file, origins, ("when", number, "start_remote"), f"remote {name!r} listens already")
        if step.forward is None or step.forward.study not in case.given.studies:
            continue
        series = case.given.studies[step.forward.study].series
        chosen, path = step.forward.series or 1, ("when", number, "forward")
        if chosen > len(series):
            yield _problem(file, origins, (*path, "series"), f"the study has {len(series)} series")
        elif (step.forward.instance or 1) > series[chosen - 1].instances:
            message = f"series {chosen} has {series[chosen - 1].instances} instances"
            yield _problem(file, origins, (*path, "instance"), message)


def _leaves(content: Any) -> bool:
    """Tell whether anything at all stands in nested mappings."""
    if isinstance(content, dict):
        return any(_leaves(value) for value in content.values())
    return content is not None


def _problem(file: Path, origins: _Origins, path: Path_, message: str, suggestion: str = "") -> Problem:
    line, column = strict_yaml.place(origins, path)
    return Problem(str(file), line, column, message, suggestion)
