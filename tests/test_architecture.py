"""The floor plan as tests: who may import whom, no cycle, no word that the field does not use."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "simulator"
FILES = sorted(file for file in PACKAGE.rglob("*.py"))

# Room -> what it may import of the simulator, beside itself. Leaf modules are files that stand in no room.
LEAVES = frozenset(("errors", "events", "site", "resources", "strict_yaml", "quantities"))
ALLOWED = {
    "errors": frozenset[str](),
    "events": frozenset(("errors",)),
    "resources": frozenset(("errors",)),
    "strict_yaml": frozenset(("errors",)),
    "quantities": frozenset[str](),
    "site": frozenset(("errors", "strict_yaml", "quantities", "rules")),
    "rules": frozenset(("errors",)),
    "wire": frozenset(("errors", "events")),
    "gateway": LEAVES | {"rules", "wire"},
    "actors": LEAVES | {"rules", "wire"},
    "synthesis": frozenset(("errors", "rules")),
    "scenario": LEAVES | {"rules", "wire", "synthesis", "actors", ""},  # the version, which a run's folder names
    "report": LEAVES | {"scenario", ""},
    "certify": LEAVES | {"rules", "wire", "actors", "synthesis", "scenario", "report", ""},
    "load": LEAVES | {"rules", "wire", "actors", "synthesis", "scenario", "report", ""},
    "conformance": LEAVES | {"rules", "wire", "gateway", ""},
    "cli": LEAVES
    | {"rules", "wire", "gateway", "actors", "synthesis", "scenario", "report", "certify", "load", "conformance", ""},
    "__main__": frozenset(("cli",)),
    # What pytest loads: scenarios as tests.
    "pytest_plugin": LEAVES | {"scenario", "report"},
    # What users import: the strategies for their property tests, and the names of the package itself.
    "strategies": frozenset(("rules", "synthesis")),
    "": frozenset(("rules", "synthesis")),
}
PROTOCOL_LIBRARIES = frozenset(("pynetdicom", "hl7"))


def module_name(file: Path) -> str:
    parts = list(file.relative_to(PACKAGE.parent).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(file) for file in FILES}


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def imports(file: Path, *, at_import_time: bool = False) -> Iterator[str]:
    """Yield every module that the file imports; names imported from a package count as its modules where they are."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    nodes: Iterator[ast.AST] = iter(tree.body) if at_import_time else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{file} imports relatively"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module


def ours(file: Path, *, at_import_time: bool = False) -> set[str]:
    return {name for name in imports(file, at_import_time=at_import_time) if name.split(".")[0] == "simulator"}


def calls_of(name: str, file: Path) -> list[int]:
    """Return the lines on which the file calls what it has under this name."""
    calls = [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    return [call.lineno for call in calls if getattr(call.func, "id", "") == name]


@pytest.mark.parametrize("file", FILES, ids=module_name)
def test_a_room_imports_only_the_rooms_below_it(file: Path) -> None:
    here = room(module_name(file))
    foreign = {room(name) for name in ours(file)} - {here}
    assert foreign <= ALLOWED[here], f"{here or 'simulator'} may not import {sorted(foreign - ALLOWED[here])}"


def test_every_room_has_a_rule() -> None:
    assert {room(name) for name in MODULES} <= set(ALLOWED)


@pytest.mark.parametrize("file", FILES, ids=module_name)
def test_only_wire_imports_the_protocol_libraries(file: Path) -> None:
    used = {name.split(".")[0] for name in imports(file)} & PROTOCOL_LIBRARIES
    assert not used or room(module_name(file)) == "wire"


@pytest.mark.parametrize("file", FILES, ids=module_name)
def test_only_the_plugin_imports_pytest(file: Path) -> None:
    assert "pytest" not in set(imports(file)) or file.name == "pytest_plugin.py"


def scenario_modules(*names: str) -> set[str]:
    """Return the modules of the scenario room with these names, and those whose names go on after one and `_`."""
    stems = [file.stem for file in (PACKAGE / "scenario").glob("*.py")]
    return {f"simulator.scenario.{stem}" for stem in stems for name in names if f"{stem}_".startswith(f"{name}_")}


MODEL = scenario_modules("model", "history")
JUDGE = scenario_modules("checks", "findings", "evidence")


@pytest.mark.parametrize("file", FILES, ids=module_name)
def test_nothing_imports_locust_but_what_is_given_to_it(file: Path) -> None:
    """Locust changes threads, sockets and waiting of the whole process under whoever imports it."""
    names = set(imports(file))
    assert not {"locust", "gevent"} & {name.split(".")[0] for name in names} or file.name == "locustfile.py"
    assert "simulator.load.locustfile" not in names


@pytest.mark.parametrize("module", sorted(JUDGE))
def test_the_judge_imports_neither_the_gateway_nor_its_rules(module: str) -> None:
    assert ours(PACKAGE.parent / f"{module.replace('.', '/')}.py") <= JUDGE | MODEL | {"simulator.events"}


@pytest.mark.parametrize("module", sorted(MODEL))
def test_nor_does_it_through_what_it_imports(module: str) -> None:
    """The model and the history know nothing of rules either."""
    file = PACKAGE.parent / f"{module.replace('.', '/')}.py"
    assert ours(file) <= scenario_modules("model") | {"simulator.events", "simulator.errors"}


def test_in_the_scenario_room_only_the_stage_knows_actors_and_only_run_puts_it_up() -> None:
    for file in (PACKAGE / "scenario").glob("*.py"):
        known = {name for name in ours(file) if room(name) in ("gateway", "actors")}
        assert not known or file.name in ("stage.py", "stage_relays.py"), file
        assert not calls_of("GatewayProcess", file) or file.name == "stage.py", file
        assert not calls_of("Stage", file) or file.name == "run.py", file
    assert calls_of("GatewayProcess", PACKAGE / "scenario" / "stage.py")
    assert calls_of("Stage", PACKAGE / "scenario" / "run.py")


def test_gateway_and_actors_never_import_each_other() -> None:
    for here, other in (("gateway", "actors"), ("actors", "gateway")):
        for file in (PACKAGE / here).glob("*.py"):
            assert other not in {room(name) for name in ours(file)}, file


def test_there_is_no_import_cycle() -> None:
    graph = {module_name(file): ours(file, at_import_time=True) - {module_name(file)} for file in FILES}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"import cycle: {' -> '.join([*path[path.index(module) :], module])}"
        if module not in done:
            for following in graph.get(module, ()):
                visit(following, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_the_pipeline_tells_its_story_in_under_a_hundred_lines() -> None:
    text = (PACKAGE / "gateway" / "pipeline.py").read_text(encoding="utf-8")
    functions = [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    assert [name for name in functions if name != "row"] == ["receive", "persist", "inspect", "match", "policy"]
    assert len(text.splitlines()) < 100


def test_the_gateway_answers_no_status_that_is_not_in_the_table() -> None:
    """The conformance statement prints `gateway.statuses`; a `Response` made elsewhere would escape it."""
    for file in (PACKAGE / "gateway").glob("*.py"):
        made = calls_of("Response", file)
        assert not made or file.name == "statuses.py", f"{file.name}:{made}"


# Words that are another field's, as whole parts of a name.
FOREIGN_WORDS = re.compile(r"(^|_)(manager|helper|helpers|utils|util|handler|job)($|_)|^client$|^server$", re.I)


@pytest.mark.parametrize("file", FILES, ids=module_name)
def test_names_are_the_fields(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)
    named = [node.name for node in ast.walk(tree) if isinstance(node, kinds)]
    assert not [name for name in named if FOREIGN_WORDS.search(name)]


@pytest.mark.parametrize("file", sorted(Path(__file__).parent.rglob("*.py")), ids=lambda file: file.name)
def test_no_test_sleeps(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = [call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "") for call in calls]
    assert "sleep" not in names
