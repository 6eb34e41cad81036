"""Wrong gateways that compare a study with its order in another way than the rules say."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from simulator.gateway.forwarding import Forwarder
from simulator.gateway.rows import InstanceRow
from simulator.gateway.server import Gateway
from simulator.rules import identity, matching
from simulator.rules.identity import MajorKeys
from simulator.site import Site
from simulator.wire import data_set
from simulator.wire.association import Outgoing
from tests.impostors.caught import AtLeast, Begins, Caught


class ComparesNamesByString(Gateway):
    """Takes names for the same when they are letter for letter."""

    literal = "name"

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        identity._KEYS = tuple(  # type: ignore[assignment]
            dataclasses.replace(key, canonical=str) if key.stem == self.literal else key for key in identity._KEYS
        )


class ComparesHkidLiterally(ComparesNamesByString):
    """Knows an HKID in any form, and takes two for the same in the same form alone."""

    literal = "hkid"


class IgnoresSex(Gateway):
    """Compares three of the four major keys."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        compare = identity.compare

        def but_for_sex(study: MajorKeys, order: MajorKeys) -> tuple[str, ...]:
            return tuple(each for each in compare(study, order) if each != "sex.mismatch")

        identity.compare = but_for_sex


class LetsInstancesDisagree(Gateway):
    """Believes those instances of a study that agree with the order, and does not look at the others."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        matching._disagree = lambda studies: False


class TakesASecondStudyForTheFirst(Gateway):
    """Does not ask whether an accession number has a study already."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        self.index.matched_by_another = lambda *_: False  # type: ignore[method-assign]


class SwapsTwoPatients(Gateway):
    """Sends the images of each of two patients on under the HKID of the other."""

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        true, index = Forwarder._outgoing, self.index

        def swapped(forwarder: Forwarder, row: InstanceRow) -> Outgoing:
            outgoing = true(forwarder, row)
            patients = sorted({order.keys.hkid.encode() for order in index.orders()})
            if len(patients) != 2:
                return outgoing
            parts = outgoing.data_set.split(patients[0])
            swapped = patients[1].join(part.replace(patients[1], patients[0]) for part in parts)
            return dataclasses.replace(outgoing, data_set=swapped)

        Forwarder._outgoing = swapped  # type: ignore[assignment,method-assign]


class KnowsTheDefaultRepertoireAlone(Gateway):
    """Reads every name as ASCII, whatever Specific Character Set says."""

    codec = "ascii"

    def __init__(self, site: Site, data: Path) -> None:
        super().__init__(site, data)
        data_set._decoded = lambda raw, character_set: raw.decode(self.codec, "replace")


class ReadsAnyBytesAsLatin1(KnowsTheDefaultRepertoireAlone):
    """Reads every name as Latin-1, in which any bytes are text."""

    codec = "latin-1"


CAUGHT: tuple[Caught, ...] = (
    Caught(
        "compares-names-by-string",
        ComparesNamesByString,
        "name-comparison[lower-case]",
        {
            "gateway.studies.study.state": ("forwarded", "unmatched"),
            "gateway.studies.study.reasons": ([], ["name.mismatch"]),
            "downstream.studies.study.instances": (2, 0),
        },
    ),
    Caught(
        "compares-hkid-literally",
        ComparesHkidLiterally,
        "hkid-forms[in-parentheses]",
        {
            "gateway.studies.study.state": ("forwarded", "unmatched"),
            "gateway.studies.study.reasons": ([], ["hkid.mismatch"]),
            "downstream.studies.study.instances": (1, 0),
        },
    ),
    Caught(
        "ignores-sex",
        IgnoresSex,
        "sex-and-birth-date[O-for-F]",
        {
            "gateway.studies.study.state": ("unmatched", "forwarded"),
            "gateway.studies.study.reasons": (["sex.mismatch"], []),
            "downstream.studies.study.instances": (0, 1),
        },
    ),
    Caught(
        "lets-instances-disagree",
        LetsInstancesDisagree,
        "two-patients-one-study[one-association]",
        {
            "gateway.studies.study.state": ("unmatched", "forwarded"),
            "gateway.studies.study.reasons": (["study.inconsistent"], []),
            "downstream.studies.study.instances": (0, 4),
        },
    ),
    Caught(
        "lets-instances-disagree",
        LetsInstancesDisagree,
        "one-study-two-accessions[two-over-one-association]",
        {
            "gateway.studies.study.state": ("unmatched", "forwarded"),
            "gateway.studies.study.reasons": (["study.inconsistent"], []),
            "downstream.studies.study.instances": (0, 4),
        },
    ),
    Caught(
        "takes-a-second-study-for-the-first",
        TakesASecondStudyForTheFirst,
        "two-studies-one-accession[the-same-modality]",
        {
            "gateway.studies.second.states": (
                ["receiving", "unmatched"],
                Begins(("receiving", "matched", "forwarding")),
            ),
            "gateway.studies.second.reasons": (["accession.duplicate"], []),
            "downstream.studies.second.instances": (0, AtLeast(1)),
        },
    ),
    Caught(
        "swaps-two-patients",
        SwapsTwoPatients,
        "patients-side-by-side[one-after-the-other]",
        {"downstream.studies.head.keys": ("head", "nobody"), "downstream.studies.knee.keys": ("knee", "nobody")},
    ),
    Caught(
        "knows-the-default-repertoire-alone",
        KnowsTheDefaultRepertoireAlone,
        "character-sets[ISO 2022 IR 58]",
        {"gateway.studies.study.warnings": ([], ["name.unreadable"])},
    ),
    Caught(
        "reads-any-bytes-as-latin-1",
        ReadsAnyBytesAsLatin1,
        "wrong-character-sets[UTF-8-undeclared]",
        {"gateway.studies.study.warnings": (["name.unreadable"], [])},
    ),
)
