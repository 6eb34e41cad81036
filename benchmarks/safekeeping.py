"""Storage commitment of a study that just came, beside a plain fsync of the same files."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path

from benchmarks import receivers, senders
from benchmarks.material import Lot
from benchmarks.receivers import HOST, PATIENCE, started
from simulator.wire import part10
from simulator.wire.association import Address, Association, Context, Response
from simulator.wire.commitment import PUSH_MODEL, TRANSFER_SYNTAXES, Notice, Reference, Request, ask
from simulator.wire.dialogue import Dialogue


def committed(lot: Lot, folder: Path) -> float:
    """Return the seconds from the request for storage commitment of a whole lot to the report, which must be good."""
    sent = [part10.read(file.read_bytes()) for file in lot.files]
    request = Request("2.25.1", tuple(Reference(each.sop_class_uid, each.sop_instance_uid) for each in sent))
    notices: list[Notice] = []
    told = threading.Event()

    def take(notice: Notice) -> Response:
        notices.append(notice)
        told.set()
        return Response(0)

    with started(receivers.GATEWAY, folder) as running:
        senders.OWN.send(running.port, lot.folder)
        contexts = [Context(PUSH_MODEL, TRANSFER_SYNTAXES)]
        with Association.request(
            "BENCHMARK",
            Address("SCP", HOST, running.port),
            contexts,
            attend=lambda library: Dialogue(library, on_report=take),
        ) as association:
            began = time.perf_counter()
            if ask(association, request).status or not told.wait(PATIENCE):
                raise SystemExit("the gateway gives no report")
            seconds = time.perf_counter() - began
    report = notices[0].report
    if report is None or len(report.committed) != lot.instances:
        raise SystemExit("not everything is committed")
    return seconds


def synced(lot: Lot, folder: Path) -> float:
    """Return the seconds that fsync takes over copies of the files, and over their folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    copies = [folder / file.name for file in lot.files]
    for file, copy in zip(lot.files, copies, strict=True):
        copy.write_bytes(file.read_bytes())
    began = time.perf_counter()
    for each in (*copies, folder):
        opened = os.open(each, os.O_RDONLY)
        os.fsync(opened)
        os.close(opened)
    seconds = time.perf_counter() - began
    shutil.rmtree(folder)
    return seconds
