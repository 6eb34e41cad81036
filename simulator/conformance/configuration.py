"""Configuration: AE titles and presentation addresses, and every parameter of the site profile with its default."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from simulator.conformance.document import Code, Inline, Paragraph, Section, Table
from simulator.site import Caller, Destination, Site


def sections(site: Site) -> tuple[Section, ...]:
    """Return the sections of the configuration chapter."""
    here = site.gateway
    local = Table(
        "Local Application Entity",
        ("AE", "AE title", "Host", "TCP port", "TCP port with TLS"),
        (
            (
                "Gateway AE",
                Code(here.ae_title),
                Code(here.host),
                _port(here.dicom_port),
                _port(here.tls.port) if here.tls else "off",
            ),
        ),
    )
    return (
        Section(
            "AE Title and Presentation Address Mapping",
            sections=(Section("Local AE Titles", (local,)), Section("Remote AE Titles", _remote(site))),
        ),
        Section(
            "Parameters",
            (
                Paragraph(
                    "A site profile, a YAML file, sets them; every one has a default. A change takes effect at the "
                    "next start. What a site sets otherwise stands beside the default."
                ),
                Table(
                    "Configuration Parameters",
                    ("Parameter", "Values", "Default", "At this site", "Meaning"),
                    tuple(_rows(site)),
                ),
            ),
        ),
    )


def _port(port: int | str) -> str:
    return str(port) if port else "any free one"


def _remote(site: Site) -> tuple[Paragraph | Table, ...]:
    callers: Paragraph | Table = Paragraph("Any calling AE title is accepted.")
    if site.callers != "any":
        callers = Table(
            "Callers", ("Calling AE title", "IP addresses", "Listens for reports at"), tuple(map(_caller, site.callers))
        )
    named = site.forwarding.destinations
    destinations: Paragraph | Table = Paragraph("No destination is named: nothing is forwarded.")
    if named:
        columns = ("Called AE title", "Host", "TCP port", "TLS", "Gets by itself")
        destinations = Table("Destinations", columns, tuple(map(_destination, named)))
    return callers, destinations


def _caller(caller: Caller) -> tuple[Inline, ...]:
    addresses: Inline = Code(", ".join(caller.addresses)) if caller.addresses else "any"
    reports: Inline = Code(f"{caller.host}:{caller.port}") if caller.host is not None else "nowhere"
    return Code(caller.ae_title), addresses, reports


def _destination(to: Destination) -> tuple[Inline, ...]:
    by_itself = "nothing" if to.forward == "by-hand" else ", ".join(to.sop_classes) or "every matched study"
    return Code(to.ae_title), Code(to.host), _port(to.port), "Yes" if to.tls else "No", by_itself


# What the facility does decides which scenarios are about it, and nothing of what the gateway does.
_OF_THE_FACILITY = "facility."


def _rows(site: Site) -> Iterator[tuple[Inline, ...]]:
    schema = Site.model_json_schema()
    defaults, now = (each.model_dump(mode="json") for each in (Site(), site))
    for path, field in parameters(schema, schema):
        if path.startswith(_OF_THE_FACILITY):
            continue
        default, value = _at(defaults, path, field.get("default")), _at(now, path, None)
        changed = value is not None and value != default
        yield (
            Code(path),
            _values(field),
            Code(_shown(default)) if default not in (None, "") else "",
            _set(value) if changed else "",
            _marked(field.get("description", "")),
        )


def parameters(
    schema: Mapping[str, Any], node: Mapping[str, Any], path: str = ""
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every leaf below `node` of a JSON Schema: its path, as `callers[].ae_title`, and its own schema."""
    for name, raw in node["properties"].items():
        field = {**_resolved(schema, raw), **{k: v for k, v in raw.items() if k != "$ref"}}
        below = f"{path}.{name}" if path else name
        if "properties" in field:
            yield from parameters(schema, field, below)
            continue
        yield below, field
        for way in (field, *field.get("anyOf", ())):
            for here, inner in ((below, way), (f"{below}[]", way.get("items", {}))):
                found = _resolved(schema, inner)
                if "properties" in found:
                    yield from parameters(schema, found, here)


def _resolved(schema: Mapping[str, Any], node: Mapping[str, Any]) -> dict[str, Any]:
    """Return `node`, or what it refers to."""
    name = node.get("$ref", "").removeprefix("#/$defs/")
    return dict(schema["$defs"][name]) if name else dict(node)


def _values(field: Mapping[str, Any]) -> str:
    """Return what a parameter may be, in words."""
    if "anyOf" in field:
        return " or ".join(_values(way) for way in field["anyOf"])
    if "$ref" in field or "properties" in field:
        return "as below"
    if "enum" in field or "const" in field:
        return ", ".join(map(str, field.get("enum", [field.get("const")])))
    if field.get("type") in ("integer", "number"):
        return " ".join(filter(None, ({"integer": "whole number", "number": "number"}[field["type"]], _range(field))))
    return {"array": "list", "string": "text", "boolean": "true, false", "null": "none"}.get(field.get("type", ""), "")


def _range(field: Mapping[str, Any]) -> str:
    low, above, high = field.get("minimum"), field.get("exclusiveMinimum"), field.get("maximum")
    if low is not None and high is not None:
        return f"from {low} to {high}"
    if above is not None:
        return f"above {above}"
    return f"from {low}" if low is not None else ""


def _marked(text: str) -> Inline:
    """Return a description with what it has between backticks as values."""
    return tuple(Code(run) if place % 2 else run for place, run in enumerate(text.split("`")))


def _at(values: Any, path: str, otherwise: Any) -> Any:
    """Return what stands at `path`, or `otherwise` where nothing does: in a list, or below what is switched off."""
    for name in path.split("."):
        if not isinstance(values, dict) or name not in values:
            return otherwise
        values = values[name]
    return values


def _set(value: Any) -> Inline:
    """Return what a site has set; lists of AEs stand in tables of their own."""
    return "as listed above" if isinstance(value, list) and any(map(_is_mapping, value)) else Code(_shown(value))


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
