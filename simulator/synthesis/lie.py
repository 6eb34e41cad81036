"""What a named lie is: one thing that a modality gets wrong, and what a gateway must find.

A lie is told in the encoded instance, after everything that a writer would check or mend. It always differs from
the truth. Each says what a gateway must find; these are literals, and no rule of the gateway computes them. Some are
no more than another spelling of the truth: of those a gateway must find nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from simulator.synthesis import draws
from simulator.synthesis.draft import Draft, Values
from simulator.synthesis.orders import Order

Tell = Callable[[str, Order], str]
"""From a seed text and the true order to the raw value; the same seed tells the same lie."""


@dataclass(frozen=True, slots=True)
class Lie:
    """One named lie.

    about: keywords of what it changes, or the tag as the standard prints it where there is no keyword; two lies about
    one thing cannot be told at once. explain: one sentence for a person. values: from a seed text and the true order
    to the raw values that stand in place of the truth. tamper: from an instance and the first instance of its study
    to the instance with the lie. told_by: which instances of the study tell it.

    What the gateway must find: status, the C-STORE status of each instance that tells it (PS3.4 B.2.3); reasons
    and warnings, those of the study when an order in force agrees with the truth, under the default site
    profile and for a person who is M or F. A study of which nothing was taken is unknown to the gateway and has none.

    needs_check_digit: of the site's accession numbers (`rules.accession.CHECK_DIGITS`), where the lie is one with
    that alone. needs_default_repertoire: the lie is one only in a study that declares no character set otherwise.
    """

    name: str
    about: tuple[str, ...]
    explain: str
    values: Callable[[str, Order], Values] = lambda seed, order: {}
    tamper: Callable[[Draft, Draft], Draft] = lambda draft, first: draft
    told_by: Literal["every instance", "all but the first", "the second"] = "every instance"
    status: str = "0000"
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    needs_check_digit: str = "opaque"
    needs_default_repertoire: bool = False

    def tells(self, index: int) -> bool:
        """Tell whether the instance at `index` of the study (from 0) tells the lie."""
        return {"every instance": True, "all but the first": index > 0, "the second": index == 1}[self.told_by]

    def told(self, draft: Draft, first: Draft, seed: str, order: Order) -> Draft:
        """Return `draft` with the lie; `first` is the first instance of the study, `order` the truth."""
        return self.tamper(draft.saying(self.values(seed, order)), first)


def conflict(lies: Sequence[Lie]) -> str:
    """Return the keyword of what two of `lies` are about, or the empty text: one thing holds one lie."""
    about = [keyword for lie in lies for keyword in lie.about]
    return next((keyword for keyword in about if about.count(keyword) > 1), "")


def saying(keyword: str, value: str | bytes) -> Lie:
    """Return a lie without a place in `LIES`: `value` stands for `keyword` in every instance."""
    return Lie(f"{keyword} {value!r}", (keyword,), f"{keyword} is {value!r}.", lambda seed, order: {keyword: value})


def always(value: str) -> Tell:
    """Return what tells `value` whatever the truth is."""
    return lambda seed, order: value


def one_value(keyword: str, reason: str, name: str, explain: str, tell: Tell) -> Lie:
    """Return a lie that is one value of `keyword`; the gateway must give one `reason`, or none where that is empty."""
    reasons = (reason,) if reason else ()
    return Lie(name, (keyword,), explain, lambda seed, order: {keyword: tell(seed, order)}, reasons=reasons)


def absent(keyword: str, reason: str, name: str, explain: str) -> Lie:
    """Return the lie of an attribute that is not there at all; the gateway must give one `reason`."""
    return Lie(name, (keyword,), explain, tamper=lambda draft, first: draft.without(keyword), reasons=(reason,))


def first_other(truth: str, draw: Callable[[int], str]) -> str:
    """Return the first of `draw(0)`, `draw(1)`, ... that is not `truth`."""
    turn = 0
    while (drawn := draw(turn)) == truth:
        turn += 1
    return drawn


def another_character(truth: str, alphabet: str, seed: str) -> str:
    """Return a character of `alphabet` that is not `truth`, the same for the same seed."""
    return draws.choice([character for character in alphabet if character != truth], seed, "another character")
