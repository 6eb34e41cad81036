"""The instance files of a gateway's folder, read apart from the gateway after a run, whatever its layout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from simulator.errors import NotDicom
from simulator.events import FileFound
from simulator.wire import data_set, part10


def found(folder: Path) -> Iterator[FileFound]:
    """Yield every instance file below `folder`, in the order of their paths; what is no instance is left out."""
    for file in sorted(folder.rglob("*.dcm")):
        try:
            instance = part10.read(file.read_bytes())
            values = data_set.read(instance.data_set, instance.transfer_syntax_uid, {data_set.STUDY_INSTANCE_UID})
        except (OSError, NotDicom):
            continue
        yield FileFound(
            observer="runner",
            study_instance_uid=data_set.text(values, data_set.STUDY_INSTANCE_UID),
            sop_instance_uid=instance.sop_instance_uid,
            data_set_digest=data_set.digest(instance.data_set),
        )
