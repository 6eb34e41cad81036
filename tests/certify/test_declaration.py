"""What a facility declares: the examples load, their schema takes them, and mistakes are told with their field."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from simulator.certify import declaration
from simulator.certify.programme import programme, written
from simulator.errors import LoadError
from simulator.strict_yaml import plain, read
from tests.cli.schemas import schema
from tests.processes import ROOT

FACILITIES = ROOT / "fixtures" / "facilities"
EXAMPLES = [FACILITIES / "example.yaml", FACILITIES / "rehearsal.yaml"]


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_the_examples_load_and_the_schema_takes_them(file: Path) -> None:
    assert declaration.load(file).systems
    schema("declaration").validate(plain(read(file)))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"systems": []}, "systems: tuple should have at least 1 item"),
        ({"facility": {"name": ""}}, "facility.name: string should have at least 1 character"),
        ({"facility": {"name": "A", "hospital_code": "toolong"}}, "facility.hospital_code: "),
        ({"facilty": {}}, "unknown key 'facilty' (did you mean 'facility'?)"),
        ({"minutes": 0}, "minutes: input should be greater than 0"),
        ({"gateway": {"dicom_port": 70000}}, "gateway.dicom_port: "),
        ({"gateway": {"dicom_port": 2575}}, "gateway: each of DICOM, HL7 and TLS needs a port of its own, and 2575"),
        ({"waivers": [{"test": "order", "owner": "A", "reason": "", "expires": "2027-01-01"}]}, "waivers.0.reason: "),
        ({"waivers": [{"test": "order", "owner": "A", "reason": "x", "expires": "soon"}]}, "waivers.0.expires: "),
    ],
)
def test_mistakes_are_told_with_place_and_field(changes: dict[str, object], told: str, tmp_path: Path) -> None:
    file = tmp_path / "facility.yaml"
    with file.open("w", encoding="utf-8") as out:
        YAML().dump(plain(read(EXAMPLES[0])) | changes, out)
    with pytest.raises(LoadError) as caught:
        declaration.load(file)
    assert told in str(caught.value)
    assert all(problem.line for problem in caught.value.problems)


def test_two_systems_of_one_name_are_a_mistake(tmp_path: Path) -> None:
    file = tmp_path / "facility.yaml"
    content = plain(read(EXAMPLES[0]))
    content["systems"][1]["ae_title"] = content["systems"][0]["ae_title"]
    with file.open("w", encoding="utf-8") as out:
        YAML().dump(content, out)
    with pytest.raises(LoadError, match="two systems have the AE title CT01"):
        declaration.load(file)


def test_the_same_seed_gives_the_same_patients_and_another_gives_others() -> None:
    declared = declaration.load(EXAMPLES[0])
    people = [[test.entry.order for test in programme(declared, seed) if test.entry] for seed in (1, 1, 2)]
    assert people[0] == people[1]
    assert people[0] != people[2]
    numbers = [order.accession_number for order in people[0]]
    assert len(set(numbers)) == len(numbers)
    assert all(number.startswith("EXC") for number in numbers)


def test_each_kind_of_test_is_there_or_says_why_not() -> None:
    declared = declaration.load(EXAMPLES[0])
    tests = programme(declared, 1)
    assert {test.kind for test in tests} == set(written())
    assert all(test.applies == (test.why_not == "") for test in tests)
    assert [test.id for test in tests if not test.applies] == ["order"]
