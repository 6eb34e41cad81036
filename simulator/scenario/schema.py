"""The JSON Schema of scenario files, for editors."""

from __future__ import annotations

from typing import Any

from simulator.scenario.model import Case, Story

_OVERLAID = ("given", "mutate", "when", "then")


def scenario_schema() -> dict[str, Any]:
    """Return the schema of a file as it is written: `Story`, with the parts that are laid over spelled out.

    In a file any text may be `$name` of a case's value, so numbers accept that too; loading is stricter.
    """
    story = Story.model_json_schema(by_alias=True)
    case = Case.model_json_schema(by_alias=True)
    definitions = case.pop("$defs") | story.pop("$defs")
    for part in _OVERLAID:
        # A part may be incomplete until a case's own is laid over it, so only its shape is described.
        shape = {key: value for key, value in case["properties"][part].items() if key != "minItems"}
        story["properties"][part] = shape
        definitions["Row"]["properties"][part] = shape
    filled_in = {"type": "string", "pattern": "^\\$[a-z0-9]"}
    for definition in definitions.values():
        for name, value in definition.get("properties", {}).items():
            if value.get("type") in ("integer", "number"):
                plain = {key: value[key] for key in value if key not in ("default", "description", "title")}
                kept = {key: value[key] for key in value if key not in plain}
                definition["properties"][name] = kept | {"anyOf": [plain, filled_in]}
    return story | {"$defs": definitions}
