"""One data folder, one gateway: a second one would take the files that the first is writing for rubbish."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from simulator.errors import StartError

_NAME = "gateway.lock"


class FolderLock:
    """Holds a data folder for this process. The system frees it however the process ends, by a kill too."""

    def __init__(self, folder: Path) -> None:
        """Take the folder, making it when it is new. Raises `StartError` when it is another's or cannot be written."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = (folder / _NAME).open("a+", encoding="ascii")
        except OSError as error:
            raise StartError(
                f"the data folder {folder} cannot be used: {error.strerror}",
                "the gateway needs a folder that it may write to; --data names another",
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            raise StartError(
                f"the data folder {folder} is in use by another gateway (process {holder})",
                "stop that one, or give this one a folder of its own with --data",
            ) from error
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Let another gateway have the folder."""
        self._file.close()
