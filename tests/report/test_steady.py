"""What a report leaves out: the ports of this machine that nobody chose."""

from __future__ import annotations

import pytest

from simulator.events import RoleBound
from simulator.report.steady import Steady
from tests.report import made


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ("HAGATEWAY@127.0.0.1:43811 ended the association", "HAGATEWAY@127.0.0.1 ended the association"),
        ("nothing listens on 127.0.0.1:9, or it cannot", "nothing listens on 127.0.0.1, or it cannot"),
        ("calling HAGATEWAY at [::1]:40001; localhost:40002", "calling HAGATEWAY at [::1]; localhost"),
        ("CT01 at 127.0.0.3:41179", "CT01 at 127.0.0.3"),
        ("PACS@10.1.2.3:104 answered A700", "PACS@10.1.2.3:104 answered A700"),
        ("2.25.127.0.0.1:1 and 17:05", "2.25.127.0.0.1:1 and 17:05"),
    ],
)
def test_a_free_port_of_this_machine_is_left_out(seen: str, said: str) -> None:
    assert Steady().said(seen) == said


def test_values_are_said_the_same_way() -> None:
    seen = {"problem": "at 127.0.0.1:1", "tries": [3, "at 127.0.0.1:2"], "none": None}
    assert Steady().said(seen) == {"problem": "at 127.0.0.1", "tries": [3, "at 127.0.0.1"], "none": None}


def test_the_port_of_a_real_system_stays() -> None:
    bound = RoleBound(observer="runner", role="gateway", ae_title="HAGW", peer="127.0.0.1:11112")
    steady = Steady.of(made.history("case", bound))
    assert steady.said("HAGW@127.0.0.1:11112, PACS@127.0.0.1:4242") == "HAGW@127.0.0.1:11112, PACS@127.0.0.1"
