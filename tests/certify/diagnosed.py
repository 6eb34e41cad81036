"""What every provoking scene is held to."""

from __future__ import annotations

from simulator.certify import catalogue
from simulator.certify.diagnosis import diagnose
from tests.certify.scenes import Case, is_where_it_says, marked


def check(case: Case) -> None:
    """See that a scene gets its card and no other, that the card says what it should, and that its bytes are there."""
    cards = diagnose(case.scene)
    assert sorted(card.id for card in cards) == sorted((case.id, *case.beside)), cards
    card = next(card for card in cards if card.id == case.id)
    known = catalogue.read()[case.id]
    assert card.level == (case.level or known.level)
    assert (card.where, card.title, card.requirement) == (known.where, known.title, known.requirements)
    assert case.expected in card.expected, card.expected
    assert case.got in card.got, card.got
    assert case.because in card.because, card.because
    assert marked(card) == case.marked, marked(card)
    assert all(is_where_it_says(each, case.scene) for each in card.evidence)
    texts = (card.expected, card.got, card.because, card.who, card.screen, card.prove)
    assert all(text and "{" not in text and "None" not in text.split() for text in texts), texts
