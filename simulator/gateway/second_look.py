"""What becomes of a study that was sent on, when its order changes afterwards.

What was sent cannot be taken back, so the study stays `forwarded`. What would make it unmatched now is said as a
warning, under the same id (`order.cancelled`, `name.mismatch`, ...), and goes when the order agrees again. A study
that is being sent is decided anew like one that is held, unless it still matches; of one that does not, `told` says
that something had gone before.
"""

from __future__ import annotations

from dataclasses import replace

from simulator.gateway.acts import Correction
from simulator.gateway.rows import StudyRow
from simulator.gateway.steps import Inspected, Verdict
from simulator.rules import identity, image_count, matching
from simulator.rules.matching import OrderKeys

_SINCE = frozenset(matching.REASONS) - {image_count.EXCEEDED}  # which is a warning in its own right
_KEYS = frozenset(f"{stem}.mismatch" for stem in identity.STEMS)


def is_settled(study: StudyRow) -> bool:
    """Tell whether an order decides nothing about the study: it is still coming, or was rejected for good."""
    return study.state in ("receiving", "rejected")


def stays(study: StudyRow, found: Inspected, verdict: Verdict, sent_as: Correction | None) -> bool:
    """Tell whether the study stays in its state; `verdict` is what it would become if it were held.

    One that is being sent, and of which nothing has been stored yet, goes with its order's new keys where those that
    are written into its copies (`sent_as`) are others now.
    """
    if study.state != "forwarding" or verdict.state != "matched":
        return study.state == "forwarded"
    return found.sent or _written(verdict.correction) == _written(sent_as)


def warned(study: StudyRow, found: Inspected, verdict: Verdict, sent_as: Correction | None) -> Verdict:
    """Return the verdict on a study that stays: its own, with what has come between it and its order since.

    `sent_as`: what the copies that were sent say in place of what the study says; they are what is compared then.
    """
    said = {*verdict.reasons, *verdict.warnings} & _SINCE
    if sent_as is not None:
        corrected = {each for keys in found.keys for each in identity.compare(keys.keys, sent_as.order.keys)}
        between = identity.compare(sent_as.order.keys, found.order.keys) if found.order else ()
        said = (said - _KEYS) | corrected | set(between)
    others = tuple(warning for warning in study.warnings if warning not in _SINCE)
    return Verdict(
        study.state, study.reasons, (*others, *sorted(said, key=matching.REASONS.index)), study.order_accession
    )


def told(verdict: Verdict, study: Inspected) -> Verdict:
    """Return the verdict on a study that does not match, with a warning where something of it was sent on before."""
    if verdict.state == "matched" or not study.sent:
        return verdict
    return replace(verdict, warnings=(*verdict.warnings, matching.FORWARDED_BEFORE))


def told_of_other_keys(verdict: Verdict, study: Inspected, sent_as: Correction | None) -> Verdict:
    """Return the verdict on a study that matches, with the same warning where it was sent on under other keys."""
    if verdict.state != "matched" or not study.sent or _written(verdict.correction) == _written(sent_as):
        return verdict
    return replace(verdict, warnings=(*verdict.warnings, matching.FORWARDED_BEFORE))


def sent_after_all(study: StudyRow, sent: bool) -> Verdict | None:
    """Return the verdict on a study that was taken back while an instance of it was on its way; None: none was."""
    if not sent or study.state not in ("unmatched", "rejected") or matching.FORWARDED_BEFORE in study.warnings:
        return None
    return Verdict(study.state, study.reasons, (*study.warnings, matching.FORWARDED_BEFORE), study.order_accession)


def _written(correction: Correction | None) -> OrderKeys | None:
    return correction.order if correction is not None else None
