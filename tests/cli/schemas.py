"""The schemas as `simulate schema` prints them."""

from __future__ import annotations

import functools
import json

from jsonschema import Draft202012Validator

from tests.processes import ROOT, simulate


@functools.cache
def schema(subject: str) -> Draft202012Validator:
    """Return the schema of `subject`, itself checked."""
    done = simulate("schema", subject, folder=ROOT)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(document)
    return Draft202012Validator(document)
