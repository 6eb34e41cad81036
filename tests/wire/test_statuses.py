"""Statuses of C-STORE responses in words (PS3.7 Annex C, PS3.4 table B.2-1)."""

from __future__ import annotations

import pytest

from simulator.wire import statuses


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (0x0000, "0000 (success)"),
        (0x0124, "0124 (not authorized)"),
        (0xA7FF, "A7FF (out of resources)"),
        (0xA900, "A900 (data set does not match SOP class)"),
        (0xC123, "C123 (cannot understand)"),
        (0xB006, "B006 (elements discarded)"),
        (0x0110, "0110 (no status of C-STORE)"),  # PS3.7 9.1.1.1.9 does not have it
        (0xB123, "B123 (no status of C-STORE)"),
    ],
)
def test_a_status_is_told_with_its_words(status: int, told: str) -> None:
    assert statuses.told(status) == told
