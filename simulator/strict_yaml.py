"""Strict YAML into validated models: every mistake at once, each at file:line:column with a suggestion.

YAML 1.2 by ruamel.yaml: `00000101` written bare is a number, `no` is a string, a key given twice is an error.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from simulator.errors import LoadError, Problem

Model = TypeVar("Model", bound=BaseModel)
Path_ = tuple[int | str, ...]


def read(file: Path) -> CommentedMap:
    """Return the mapping in `file`, with positions. Raises `LoadError` with the place of the mistake."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LoadError.of(file, f"cannot be read: {error}") from error
    try:
        document = YAML(typ="rt", pure=True).load(text)
    except MarkedYAMLError as error:
        raise LoadError([_syntax_problem(file, error)]) from error
    except RecursionError as error:
        raise LoadError.of(file, "is nested too deeply to be read") from error
    except YAMLError as error:
        raise LoadError.of(file, f"is not YAML: {error}") from error
    if not isinstance(document, CommentedMap):
        raise LoadError.of(file, "must hold a mapping of keys to values", "is the file empty?")
    return document


def write(content: dict[str, Any], file: Path) -> None:
    """Write a mapping as YAML. Raises `OSError`."""
    with file.open("w", encoding="utf-8") as out:
        YAML().dump(content, out)


def validate(
    model: type[Model], content: Any, file: Path, origins: Sequence[tuple[CommentedMap, Path_]] | None = None
) -> Model:
    """Return `content` as `model`. Raises `LoadError` with all mistakes in the order of their lines.

    Positions are looked up in `content`, or, when it was put together from parts of a file, in `origins`: each
    part with the path at which the whole document has it, the one laid over the others first.
    """
    try:
        return model.model_validate(plain(content))
    except ValidationError as error:
        places = origins or [(content, ())]
        problems = {_model_problem(model, file, content, places, details) for details in _own(error.errors(), content)}
        raise LoadError(sorted(problems, key=lambda p: (p.line, p.column, p.message))) from error


def place(origins: Sequence[tuple[CommentedMap, Path_]], path: Path_) -> tuple[int, int]:
    """Return line and column (from 1) of `path` in the first origin that has all of it, else of the nearest part."""
    reached = (
        (len(steps) - len(prefix), steps)
        for document, prefix in origins
        for steps in [list(_steps(document, (*prefix, *path)))]
    )
    _, deepest = max(reached, key=lambda entry: entry[0])
    return deepest[-1] if deepest else (1, 1)


def _steps(document: Any, path: Path_) -> Iterator[tuple[int, int]]:
    """Yield line and column (from 1) of each part of `path`, as far as it exists in `document`."""
    node = document
    for key in path:
        if isinstance(node, CommentedMap) and key in node:
            line, column = node.lc.key(key)
        elif isinstance(node, CommentedSeq) and isinstance(key, int) and key < len(node):
            line, column = node.lc.item(key)
        else:
            return
        yield line + 1, column + 1
        node = node[key]


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `did you mean 'x'?` for the known word most like `word`, or the empty string."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else ""


def plain(node: Any) -> Any:
    """Return the document without ruamel's own containers and scalar types."""
    if isinstance(node, dict):
        return {str(key) if isinstance(key, str) else key: plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [plain(value) for value in node]
    if isinstance(node, bool) or node is None:
        return node
    for kind in (str, int, float):
        if isinstance(node, kind):
            return kind(node)
    return node


def _syntax_problem(file: Path, error: MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    message = (error.problem or error.context or "is not YAML").split("\n")[0]
    hint = "each key may stand once" if "duplicate key" in message else "check indentation, colons and quotes"
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    return Problem(str(file), line, column, message, hint)


def _model_problem(
    model: type[BaseModel],
    file: Path,
    content: Any,
    origins: Sequence[tuple[CommentedMap, Path_]],
    details: ErrorDetails,
) -> Problem:
    path = _real_path(content, details)
    line, column = place(origins, path)
    name = ".".join(str(part) for part in path) or "the file"
    if details["type"] == "extra_forbidden":
        known = _fields_beside(model, path)
        advice = nearest(str(path[-1]), known) or (f"known here: {', '.join(sorted(known))}" if known else "")
        return Problem(str(file), line, column, f"unknown key {str(path[-1])!r}", advice)
    if details["type"] == "missing":
        return Problem(str(file), line, column, f"{name} is missing")
    return Problem(str(file), line, column, f"{name}: {_sentence(details)}", _expected(details))


# What pydantic says of a value that is of another kind than a branch of a union takes.
_OF_ANOTHER_KIND = ("model_type", "dict_type", "tuple_type", "list_type")
_OF_ANOTHER_TEXT = ("literal_error", "string_type", "enum")


def _own(errors: list[ErrorDetails], content: Any) -> list[ErrorDetails]:
    """Return the errors without those that are only said because of others.

    That is `too_short` where the list is only short of the entries that are wrong, and what the other branches of a
    union have to say of a value where one of them takes its kind.
    """
    paths = [details["loc"] for details in errors]
    real = [_real_path(content, details) for details in errors]
    return [
        details
        for details, here in zip(errors, real, strict=True)
        if not _is_beside(details, here, errors, real)
        and (
            details["type"] != "too_short"
            or not any(path[: len(details["loc"])] == details["loc"] != path for path in paths)
        )
    ]


def _is_beside(details: ErrorDetails, here: Path_, errors: list[ErrorDetails], real: list[Path_]) -> bool:
    """Tell whether another error is about the same value, or about something in it, and knows more of it."""
    kinds = (*_OF_ANOTHER_KIND, *_OF_ANOTHER_TEXT)
    if details["type"] not in kinds:
        return False
    others = [(other["type"], path) for other, path in zip(errors, real, strict=True) if other is not details]
    within = any(path[: len(here)] == here != path for _, path in others)
    beside = {kind for kind, path in others if path == here}
    is_text = not isinstance(details["input"], dict | list)
    better = _OF_ANOTHER_TEXT if is_text and details["type"] in _OF_ANOTHER_KIND else ()
    return within or any(kind not in kinds or kind in better for kind in beside)


def _sentence(details: ErrorDetails) -> str:
    message = details["msg"].removeprefix("Value error, ")
    return message[:1].lower() + message[1:] + f"; found {details['input']!r}"


def _expected(details: ErrorDetails) -> str:
    expected = str(details.get("ctx", {}).get("expected", ""))
    if details["type"] not in ("literal_error", "enum") or not isinstance(details["input"], str):
        return ""
    words = [word.strip("' ") for word in expected.replace(" or ", ", ").split(",")]
    return nearest(details["input"], words)


def _real_path(document: Any, details: ErrorDetails) -> Path_:
    """Drop the parts of a pydantic location that name a union's branch and stand nowhere in the file."""
    kept: list[int | str] = []
    node = document
    loc = details["loc"]
    for index, part in enumerate(loc):
        inside = isinstance(node, dict) and part in node
        listed = isinstance(node, list) and isinstance(part, int) and part < len(node)
        if inside or listed:
            kept.append(part)
            node = node[part]
        elif index == len(loc) - 1 and details["type"] in ("missing", "extra_forbidden"):
            kept.append(part)
    return tuple(kept)


def _fields_beside(model: type[BaseModel], path: Path_) -> set[str]:
    """Return the keys that the model allows where the last part of `path` stands."""
    current: list[type[BaseModel]] = [model]
    for part in path[:-1]:
        following: list[type[BaseModel]] = []
        for candidate in current:
            field = _field(candidate, part)
            following.extend(_models_in(field) if field is not None else [])
        current = following or current
    return {info.alias or name for candidate in current for name, info in candidate.model_fields.items()}


def _field(model: type[BaseModel], key: int | str) -> Any:
    for name, info in model.model_fields.items():
        if key in (name, info.alias):
            return info.annotation
    return None


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _models_in(argument)
