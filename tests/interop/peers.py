"""Other makes' programs: who has none of them skips their tests, but continuous integration must have them all."""

from __future__ import annotations

import os

# `.ci/run` sets it: a peer that is missing there fails its tests instead of skipping them.
DEMANDED = bool(os.environ.get("CI"))
