"""The JSON Schema of scenario files, for editors."""

from __future__ import annotations

from typing import Any

from simulator.scenario.model import OVERLAID, Case, Story

_WORDS = ("default", "description", "title")
_FILLED_IN = {"type": "string", "pattern": "^\\$[a-z0-9]"}


def scenario_schema() -> dict[str, Any]:
    """Return the schema of a file as it is written: `Story`, with the parts that are laid over spelled out.

    In a file any value may be `$name` of a case's value, and null takes a key away; loading is stricter.
    """
    story = Story.model_json_schema(by_alias=True)
    case = Case.model_json_schema(by_alias=True)
    overlaid = {name: _loosened(definition) for name, definition in case.pop("$defs").items()}
    definitions = overlaid | {name: below for name, below in story.pop("$defs").items() if name not in overlaid}
    for part in OVERLAID:
        # A part may be incomplete until a case's own is laid over it, so only its shape is described.
        shape = {key: value for key, value in _loosened(case["properties"][part]).items() if key != "minItems"}
        story["properties"][part] = shape
        definitions["Row"]["properties"][part] = shape
    return story | {"$defs": definitions}


def _loosened(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an object with `$name` and null allowed for every value in it."""
    if "properties" in schema:
        return schema | {"properties": {name: _value(below) for name, below in schema["properties"].items()}}
    loosened = dict(schema)
    if isinstance(schema.get("additionalProperties"), dict):
        loosened["additionalProperties"] = _value(schema["additionalProperties"])
    if isinstance(schema.get("items"), dict) and "$ref" not in schema["items"]:
        loosened["items"] = {"anyOf": [_loosened(schema["items"]), _FILLED_IN]}
    if "patternProperties" in schema:
        loosened["patternProperties"] = {key: _value(below) for key, below in schema["patternProperties"].items()}
    return loosened


def _value(schema: dict[str, Any]) -> dict[str, Any]:
    kept = {key: schema[key] for key in _WORDS if key in schema}
    plain = {key: value for key, value in _loosened(schema).items() if key not in kept}
    return kept | {"anyOf": [plain, _FILLED_IN, {"type": "null"}]}
