"""`kill -9` at any moment: what was answered 0000 is there, whole, indexed, committed to, and forwarded."""

from __future__ import annotations

from pathlib import Path

from tests import killing


def test_thirty_kills_lose_nothing(tmp_path: Path) -> None:
    outcome = killing.kill_again_and_again(tmp_path, kills=30, seed=20100901)
    assert len(outcome.stored) > 30, "too little was sent for a kill to hit it"
    assert outcome.received, "no request for commitment was received"
    killing.check(outcome)
