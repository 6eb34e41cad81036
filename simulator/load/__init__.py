"""Load: many modalities at once against one gateway, each a process of its own, and what their C-STOREs took.

`run` tells the whole story; `modality` is one process, `crew` keeps them, `tally` is what they tell, and `locustfile`
the same modality for Locust, where one machine is not enough.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

LOCUST_FILE: Final = Path(__file__).with_name("locustfile.py")
"""What `locust -f` is given. Nothing here imports it: Locust changes the standard library under whoever imports it."""
