"""What a run's folder holds so that the run can be judged and run again: `run.json`, and the scenario files as run.

`run.json` is written before the first case begins: the seed, the whole site profile, the real systems that played
a role, the ids of the cases, and for each scenario its file with the digest of what stood in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import simulator
from simulator.errors import HarnessError, UsageError
from simulator.scenario import load
from simulator.scenario.binding import Bindings
from simulator.scenario.model import Scenario
from simulator.scenario.plan import case_id
from simulator.site import Site
from simulator.strict_yaml import nearest

FORMAT = "ha-dicom-gateway-simulator/run/1"
RUN, AS_RUN = "run.json", "as-run"


@dataclass(frozen=True, slots=True)
class SavedRun:
    """A run as it was chosen. `files`: the scenario files it was run from, by name, with their digests (SHA-256)."""

    folder: Path
    name: str
    seed: int
    site: Site
    bound: dict[str, str]
    cases: tuple[str, ...]
    files: dict[str, tuple[Path, str]]

    def scenarios(self, only: Collection[str] = ()) -> tuple[Scenario, ...]:
        """Return the scenarios as they were run, with their cases; `only` those of these ids, where any are given.

        Raises `UsageError` for an id that is not among the cases, and `LoadError`.
        """
        return self._chosen(self.folder / AS_RUN, only)

    def scenarios_now(self, only: Collection[str] = ()) -> tuple[Scenario, ...]:
        """Return the same cases as their scenarios' files have them now. Raises as `scenarios` does."""
        return self._chosen(None, only)

    def changed(self) -> tuple[str, ...]:
        """Return the names of the scenarios whose files are not any more what was run."""
        return tuple(name for name, (file, digest) in self.files.items() if _digest(file) != digest)

    def _chosen(self, folder: Path | None, only: Collection[str]) -> tuple[Scenario, ...]:
        for unknown in (each for each in only if each not in self.cases):
            advice = nearest(unknown, self.cases) or f"its cases stand in {self.folder / RUN}"
            raise UsageError(f"the run in {self.folder} has no case {unknown!r}", advice)
        wanted = set(only or self.cases)
        files = {name: file if folder is None else folder / f"{name}.yaml" for name, (file, _) in self.files.items()}
        loaded = [load.load(file) for file in files.values()]
        return tuple(part for scenario in loaded if (part := _part(scenario, wanted)).cases)


def keep(
    folder: Path,
    name: str,
    seed: int,
    site: Site,
    scenarios: Sequence[Scenario],
    bound: Bindings,
    origins: Mapping[str, Path],
) -> None:
    """Write into a run's folder what is needed to run it again.

    origins: where the files of scenarios stand that are run from copies. Raises `OSError`.
    """
    (folder / AS_RUN).mkdir()
    files = {}
    for scenario in scenarios:
        text = Path(scenario.file).read_bytes()
        (folder / AS_RUN / f"{scenario.name}.yaml").write_bytes(text)
        origin = origins.get(scenario.name, Path(scenario.file).resolve())
        files[scenario.name] = {"file": str(origin), "sha256": hashlib.sha256(text).hexdigest()}
    document = {
        "run": FORMAT,
        "version": simulator.__version__,
        "name": name,
        "seed": seed,
        "bound": {role: str(address) for role, address in bound.items()},
        "cases": [case_id(scenario, case) for scenario in scenarios for case in scenario.cases],
        "scenarios": files,
        "site": site.model_dump(mode="json"),
    }
    (folder / RUN).write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def find(run: Path) -> Path:
    """Return the folder of a run, where `run` may be a `latest` that is a file with the folder's name.

    Raises `UsageError` for what is no run's folder.
    """
    if run.is_file():
        run = run.parent / run.read_text(encoding="utf-8").strip()
    if not (run / RUN).is_file():
        raise UsageError(f"{run} is not the folder of a run: it has no {RUN}", "name one of those below reports/")
    return run.resolve() if run.is_symlink() else run


def read(run: Path) -> SavedRun:
    """Return what was run in a folder.

    Raises `UsageError` where there is none, `HarnessError` where another version ran it.
    """
    folder = find(run)
    try:
        document: dict[str, Any] = json.loads((folder / RUN).read_text(encoding="utf-8"))
        if document["run"] != FORMAT:
            raise HarnessError(f"{folder / RUN} is not of a run that this version reads: {document['run']}")
        return SavedRun(
            folder=folder,
            name=document["name"],
            seed=document["seed"],
            site=Site.model_validate(document["site"]),
            bound=document["bound"],
            cases=tuple(document["cases"]),
            files={name: (Path(each["file"]), each["sha256"]) for name, each in document["scenarios"].items()},
        )
    except (ValueError, KeyError, TypeError) as error:
        raise HarnessError(f"{folder / RUN} cannot be read: {error}") from error


def _part(scenario: Scenario, wanted: Collection[str]) -> Scenario:
    cases = tuple(case for case in scenario.cases if case_id(scenario, case) in wanted)
    return scenario.model_copy(update={"cases": cases})


def _digest(file: Path) -> str:
    """Return the digest of what stands in a file now; empty where there is none."""
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
