"""A study from the order to the destination, beside DCMTK's programs that hand the same files on twice."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import receivers, senders
from benchmarks.material import Lot
from benchmarks.receivers import ENVIRONMENT, Running, started

MISSING = receivers.DCMRECV.missing or senders.DCMSEND.missing  # without which `of_dcmtk` cannot be
SCENARIO = """\
scenario: chain
title: A CT study from the order to the destination
explain: Order, synthesis, C-STORE, matching, forwarding, C-STORE, and the checks of each.
level: should
verifies: [CNT-1]
given:
  site: {{gateway: {{quiet_period: 0.1}}}}
  orders: {{order: {{}}}}
  studies:
    study:
      order: order
      series: [{{sop_class: CTImageStorage, instances: {instances}, rows: 512, columns: 512}}]
when:
  - send_order: order
  - store: study
then:
  wire:
    orders: {{order: {{acknowledgement: AA}}}}
    studies: {{study: {{answers: {{"0000": {instances}}}}}}}
  gateway: {{studies: {{study: {{state: forwarded, instances: {instances}, refused: 0, files: {instances}}}}}}}
  downstream: {{studies: {{study: {{instances: {instances}, pixel_data: identical}}}}}}
"""


def ours(instances: int, folder: Path) -> float:
    """Play the scenario, whose checks must pass; return the seconds of the whole program."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "scenarios").mkdir(parents=True)
    (folder / "scenarios" / "chain.yaml").write_text(SCENARIO.format(instances=instances), encoding="utf-8")
    began = time.perf_counter()
    command = [sys.executable, "-m", "simulator", "--scenario", "chain"]
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(done.stdout.decode() + done.stderr.decode())
    shutil.rmtree(folder)
    return seconds


def of_dcmtk(lot: Lot, folder: Path) -> float:
    """Have `dcmsend` bring files to a `dcmrecv`, and another what that wrote to a second one; return the seconds."""
    with started(receivers.DCMRECV, folder / "first") as first, started(receivers.DCMRECV, folder / "second") as second:
        seconds = senders.together([senders.dcmsend(first.port, lot.folder)])
        seconds += senders.together([senders.dcmsend(second.port, folder / "first" / "out")])
        _arrived(second, lot)
    return seconds


def _arrived(running: Running, lot: Lot) -> None:
    if running.taken() != lot.instances:
        raise SystemExit(f"dcmrecv holds {running.taken()} of {lot.instances} instances")
