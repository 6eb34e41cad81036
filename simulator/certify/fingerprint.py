"""What a certificate stands on: once something in it changes, it says nothing of what is there now."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from simulator import __version__
from simulator.certify.outcome import Fingerprint, SystemSeen
from simulator.certify.session import Session


def fingerprint(session: Session) -> Fingerprint:
    """Return the configuration as it was declared, and as the systems have shown themselves so far."""
    declared, shown = session.declared, session.seen()
    here = declared.gateway
    systems = []
    for system in declared.systems:
        uid, name = shown.get((system.name, "requestor"), ("", ""))
        scp_uid, scp_name = shown.get((system.name, "acceptor"), ("", ""))
        systems.append(
            SystemSeen(
                name=system.name,
                ae_title=system.ae_title,
                address=system.host if system.port is None else f"{system.host}:{system.port}",
                does=system.does,
                implementation_class_uid=uid,
                implementation_version_name=name,
                scp_implementation_class_uid=scp_uid,
                scp_implementation_version_name=scp_name,
            )
        )
    # A waiver changes what counts, and nothing of what was tested.
    profile = hashlib.sha256(declared.model_dump_json(exclude={"waivers"}).encode()).hexdigest()
    parts = Fingerprint(
        gateway=f"{here.ae_title}@{here.host}:{here.dicom_port}, HL7 {here.host}:{here.hl7_port}",
        systems=tuple(systems),
        site_profile=f"sha256:{profile}",
        tool_version=__version__,
        seed=session.seed,
        digest="",
    )
    content = json.dumps(parts.model_dump(mode="json"), sort_keys=True).encode()
    return parts.model_copy(update={"digest": f"sha256:{hashlib.sha256(content).hexdigest()}"})


def differences(before: Fingerprint, after: Fingerprint) -> Iterator[str]:
    """Yield a sentence for each thing that has changed. What a system had not shown yet is no change."""
    if before.gateway != after.gateway:
        yield f"the gateway was {before.gateway}, and is {after.gateway}"
    earlier = {system.name: system for system in before.systems}
    later = {system.name: system for system in after.systems}
    yield from (f"{name} was declared, and is not any more" for name in earlier if name not in later)
    yield from (f"{name} is declared anew" for name in later if name not in earlier)
    for name in earlier.keys() & later.keys():
        yield from _changes(name, earlier[name], later[name])
    if before.site_profile != after.site_profile and _declared(before) == _declared(after):
        yield "the declaration has changed beside names and addresses"
    if before.tool_version != after.tool_version:
        yield f"it was tested with version {before.tool_version} of the simulator, and this is {after.tool_version}"
    if before.seed != after.seed:
        yield "another seed gives other patients"


def _declared(seen: Fingerprint) -> list[tuple[object, ...]]:
    """Return of each system what was declared and is compared by itself."""
    return [(each.name, each.ae_title, each.address, each.does) for each in seen.systems]


def _changes(name: str, before: SystemSeen, after: SystemSeen) -> Iterator[str]:
    for field, words in (
        ("ae_title", "AE title"),
        ("address", "address"),
        ("does", "roles"),
        ("implementation_class_uid", "Implementation Class UID"),
        ("implementation_version_name", "Implementation Version Name"),
        ("scp_implementation_class_uid", "Implementation Class UID as SCP"),
        ("scp_implementation_version_name", "Implementation Version Name as SCP"),
    ):
        old, new = getattr(before, field), getattr(after, field)
        unknown = "implementation" in field and not (old and new)
        if old != new and not unknown:
            yield f"{name}: its {words} was {_shown(old)}, and is {_shown(new)}"


def _shown(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)
