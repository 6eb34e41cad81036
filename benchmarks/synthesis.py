"""How fast a study is made, and in how much memory: one core, nothing written.

    python benchmarks/synthesis.py [INSTANCES]

Prints instances and megabytes a second, and the peak of resident memory of this process.
"""

from __future__ import annotations

import resource
import sys
import time

from simulator.rules.sop_classes import by_name
from simulator.synthesis import orders, people, studies


def main(instances: int) -> None:
    """Make a CT study of 512x512x16, one instance at a time."""
    order = orders.order("benchmark", people.person("benchmark"), modality="CT")
    spec = studies.SeriesSpec(by_name("CTImageStorage"), instances, 512, 512)
    started = time.perf_counter()
    size = sum(len(each.data_set) for each in studies.study("benchmark", order, [spec]).instances)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{instances} CT instances of 512x512x16 in {seconds:.2f} s: "
        f"{instances / seconds:.0f} instances/s, {size / seconds / 1e6:.0f} MB/s, peak memory {peak:.0f} MB"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1001)
