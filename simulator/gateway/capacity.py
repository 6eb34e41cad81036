"""Room on the disk: an instance is refused before the disk is full, so that what is held stays usable."""

from __future__ import annotations

import os
from pathlib import Path

from simulator.gateway import statuses
from simulator.gateway.health import STORAGE, Health
from simulator.gateway.steps import Received, Refused
from simulator.quantities import size_text


class Capacity:
    """Watches the file system of the data folder. `keep_free`: bytes that instances may not take."""

    def __init__(self, folder: Path, keep_free: int, health: Health) -> None:
        self._folder = folder
        self._keep_free = keep_free
        self._health = health

    def has_room(self, size: int) -> bool:
        """Tell whether so many bytes may be written. Raises `OSError`."""
        return self._free() - size >= self._keep_free

    def refusal(self, received: Received) -> Refused:
        """Return how an instance is refused for which there is no room; it is not kept aside, for the same reason."""
        kept = f"{size_text(self._keep_free)} kept free"
        free = f"disk nearly full: {size_text(self._free())} free, {kept}"
        self._health.worse(STORAGE, f"{free}; instances are refused with A700 until there is room")
        refused = statuses.OUT_OF_RESOURCES.response(f"disk nearly full: {kept}")  # 64 characters and no more: PS3.7 C
        return Refused(received.request, refused, received.header, keep=False)

    def _free(self) -> int:
        found = os.statvfs(self._folder)
        return found.f_bavail * found.f_frsize
