"""Both drawings show every flow, and the drawing in letters keeps its columns."""

from __future__ import annotations

from xml.etree import ElementTree

from simulator.conformance import diagram
from simulator.conformance.diagram import Flow

FLOWS = (
    Flow("Forward a study that has matched its order", "N-EVENT-REPORT", "Take it & <keep> it", "out"),
    Flow("Answer", "C-ECHO", "Ask", "in"),
)


def test_the_letters_stand_in_columns() -> None:
    lines = diagram.text("HAGATEWAY", FLOWS).splitlines()
    assert {len(line) for line in lines if line.endswith(("|", "+")) and line.startswith(("|", "+"))} == {111}
    assert {line.index(":") for line in lines if ":" in line} == {67}
    assert sum("HAGATEWAY" in line for line in lines) == 1
    arrows = [line for line in lines if ">" in line.replace("<keep>", "") or "<--" in line]
    assert [("-->" in line, "<--" in line) for line in arrows] == [(True, False), (False, True)]


def test_the_svg_is_well_formed_and_says_the_same() -> None:
    root = ElementTree.fromstring(diagram.svg("A&B", FLOWS))
    texts = [node.text or "" for node in root.iter("{http://www.w3.org/2000/svg}text")]
    shown = " ".join(texts)
    for flow in FLOWS:
        assert flow.service in texts
        for side in (flow.local, flow.remote):
            assert all(word in shown for word in side.split())
    assert "A&B" in texts
    ends = [node.attrib for node in root.iter("{http://www.w3.org/2000/svg}path")]
    assert sum("marker-end" in each for each in ends) == sum("marker-start" in each for each in ends) == 2


def test_a_gateway_that_forwards_nothing_has_no_arrow_out() -> None:
    assert "marker-end" not in diagram.svg("HAGATEWAY", FLOWS[1:])
