"""Runs a wrong gateway by its name, with the options of `simulate gateway` that a scenario gives."""

from __future__ import annotations

import argparse
from pathlib import Path

from simulator import site as profile
from simulator.cli.gateway_command import serve
from tests.impostors import IMPOSTORS


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("name", choices=sorted(IMPOSTORS))
    for option in ("--site", "--data", "--ready-file"):
        arguments.add_argument(option, type=Path, required=True)
    given = arguments.parse_args()
    serve(IMPOSTORS[given.name](profile.load(given.site), given.data), given.ready_file, given.data)


if __name__ == "__main__":
    main()
