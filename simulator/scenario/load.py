"""Loads scenario files: strictly, and with every mistake of a file at once as file:line:column."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap

from simulator import resources, strict_yaml
from simulator.errors import LoadError, Problem, UsageError
from simulator.scenario import requirements
from simulator.scenario.cast import WrittenPerson
from simulator.scenario.mistakes import endings
from simulator.scenario.mistakes_making import not_to_be_done, not_to_be_made
from simulator.scenario.mistakes_names import unknown_names
from simulator.scenario.mistakes_on_the_way import not_to_be_injected, not_to_be_played
from simulator.scenario.mistakes_unseen import never_seen
from simulator.scenario.model import OVERLAID, Case, Scenario, Story
from simulator.site import Destination, Site, merged
from simulator.strict_yaml import Path_, nearest

_Origins = Sequence[tuple[CommentedMap, Path_]]


def files(folder: Path | None = None) -> dict[str, Path]:
    """Return every scenario file by the scenario's name, which is the file's, in the order of their paths.

    folder: where they are looked for; without it, where `resources` finds them. Raises `UsageError` for one of none.
    """
    found = sorted((folder or resources.folder("scenarios", "*.yaml")).rglob("*.yaml"))
    if not found:
        raise UsageError(f"there is no scenario in {folder}", "a scenario is a file NAME.yaml; see docs/scenarios.md")
    return {file.stem: file for file in found}


def named(name: str, folder: Path | None = None) -> Scenario:
    """Return the scenario `name`, of those in `folder`. Raises `UsageError` with near misses, or `LoadError`."""
    known = files(folder)
    if name not in known:
        looked = folder or resources.folder("scenarios", "*.yaml")
        raise UsageError(
            f"there is no scenario {name!r}", nearest(name, known) or f"looked in {looked}; see `simulate list`"
        )
    return load(known[name])


def everything(folder: Path | None = None) -> tuple[Scenario, ...]:
    """Return all scenarios in `folder`. Raises `LoadError` with the mistakes of every file, or `UsageError`."""
    loaded: list[Scenario] = []
    problems: list[Problem] = []
    for file in files(folder).values():
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
        applies_to=story.applies_to,
        verifies=story.verifies,
        cases=tuple(cases),
        file=str(file),
    )


def _cases(story: Story, document: CommentedMap) -> Iterator[tuple[str, dict[str, Any], _Origins]]:
    """Yield each case: its name, its content with everything laid over and filled in, and where that stands."""
    base = {key: strict_yaml.plain(document[key]) for key in OVERLAID if key in document}
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
        overlay = {key: written[key] for key in OVERLAID if key in written}
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
    """Yield what no single key shows: names that stand for nothing, and what can never be made, done or seen."""
    for question in (unknown_names, not_to_be_made, not_to_be_done, not_to_be_injected, not_to_be_played, never_seen):
        for path, message, advice in question(case):
            yield _problem(file, origins, path, message, advice)
    yield from _site_problems(case, origins, file)
    yield from _destination_problems(case, origins, file)
    yield from _person_problems(case, origins, file)


def _site_problems(case: Case, origins: _Origins, file: Path) -> Iterator[Problem]:
    content = Site().model_dump(mode="json")
    later = [((*path, "site"), ending.site) for path, ending in endings(case)]
    for path, changes in [(("given", "site"), case.given.site), *later]:
        content = merged(content, changes)
        try:
            strict_yaml.validate(Site, content, file, [(document, (*prefix, *path)) for document, prefix in origins])
        except LoadError as error:
            yield from error.problems
            return


def _destination_problems(case: Case, origins: _Origins, file: Path) -> Iterator[Problem]:
    for name, spec in case.given.remotes.items():
        where: Path_ = ("given", "remotes", name, "destination")
        content = {**spec.destination, "ae_title": name.upper(), "port": 1}  # both are the run's, whatever is said
        places = [(document, (*prefix, *where)) for document, prefix in origins]
        try:
            strict_yaml.validate(Destination, content, file, places)
        except LoadError as error:
            yield from error.problems


def _person_problems(case: Case, origins: _Origins, file: Path) -> Iterator[Problem]:
    for name, spec in case.given.people.items():
        places = [(document, (*prefix, "given", "people", name)) for document, prefix in origins]
        try:
            strict_yaml.validate(WrittenPerson, spec.model_dump(exclude_unset=True), file, places)
        except LoadError as error:
            yield from error.problems


def _problem(file: Path, origins: _Origins, path: Path_, message: str, suggestion: str = "") -> Problem:
    line, column = strict_yaml.place(origins, path)
    return Problem(str(file), line, column, message, suggestion)
