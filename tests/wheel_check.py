"""Run by tox in the wheel's own environment: the installed product alone, from an empty folder.

Not collected by pytest, since the tests of the checkout see the checkout.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import jsonschema

import simulator

SIMULATE = Path(sys.executable).with_name("simulate")


def run(*arguments: str, code: int = 0) -> str:
    """Run `simulate` in the present folder; stop with what it printed when its exit code is another."""
    done = subprocess.run([SIMULATE, *arguments], capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != code:
        sys.exit(f"simulate {' '.join(arguments)}: exit code {done.returncode}, not {code}\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> None:
    checkout = Path(__file__).resolve().parent.parent
    with tempfile.TemporaryDirectory() as empty:
        os.chdir(empty)
        installed = Path(simulator.__file__).resolve()
        assert checkout / "simulator" not in installed.parents, f"{installed} is the source, not the wheel"
        names = [scenario["name"] for scenario in json.loads(run("list", "--json"))]
        assert {"echo", "matched", "unmatched", "over-1000-images"} <= set(names), names
        run("--scenario", "echo", "--scenario", "unmatched", "--seed", "7")
        result = json.loads(Path("reports/latest/result.json").read_text(encoding="utf-8"))
        jsonschema.validate(result, json.loads(run("schema", "result")))
        assert result["verdict"] == "pass", result["verdict"]
        assert {path.name for path in Path("reports/latest").iterdir()} >= {"junit.xml", "report.html", "history.jsonl"}
        run("--scenario", "unmatchd", code=2)
        assert "CERTIFIABLE: no" in run("certify", "run", "--as-facility", "well", "--seed", "7")
    sys.stdout.write("the wheel works from an empty folder\n")


if __name__ == "__main__":
    main()
