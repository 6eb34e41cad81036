"""Kills a gateway for a long time, in rounds of 50 kills: `python benchmarks/soak_kill.py --kills 500`, in a checkout.

The suite kills 30 times; this is for a night. Each round has a folder and a seed of its own, which is printed first.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests import killing

ROUND = 50


def main() -> None:
    """Kill so often as was asked, and say after each round what held."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--kills", type=int, default=500)
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    for number, before in enumerate(range(0, given.kills, ROUND)):
        seed, kills, began = given.seed + number, min(ROUND, given.kills - before), time.monotonic()
        print(f"seed {seed}: ", end="", flush=True)
        with tempfile.TemporaryDirectory(prefix="soak-") as folder:
            outcome = killing.kill_again_and_again(Path(folder), kills, seed)
            killing.check(outcome)
        seconds = time.monotonic() - began
        print(
            f"{kills} kills, {len(outcome.studies)} studies, {len(outcome.stored)} instances answered 0000: "
            f"all there, all forwarded, {outcome.repeated} of them twice; {len(outcome.received)} requests for "
            f"commitment, {len(outcome.reported)} reports; {seconds:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
