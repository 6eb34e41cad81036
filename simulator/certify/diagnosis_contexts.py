"""What goes wrong in presentation contexts: classes and transfer syntaxes that one side does not offer or take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from simulator.certify import marking
from simulator.certify.cards import Evidence
from simulator.certify.findings import Finding, Rule
from simulator.certify.seeing import Seen, Talk, class_name, syntax_name
from simulator.rules.sop_classes import STORAGE_COMMITMENT, VERIFICATION
from simulator.synthesis import compression
from simulator.wire.association_fields import RESULTS, Answer, Offer
from simulator.wire.transcript import SaidPdu

_SYNTAXES = 4
_SERVICES = (VERIFICATION.uid, STORAGE_COMMITMENT.uid)


def _not_offered(seen: Seen) -> Iterator[Finding]:
    """The class of the test is in no presentation context that the system proposed."""
    talks = [talk for talk in seen.incoming if talk.asked and talk.request and not _is_commitment_alone(talk)]
    if not (seen.stores and seen.scene.wanted.sop_class_uid and talks):
        return
    wanted = seen.scene.wanted.sop_class_uid
    offered = list(dict.fromkeys(uid for talk in talks for uid in talk.offers_of))
    if wanted in offered:
        return
    values = {"class": class_name(wanted), "offered": _names(offered)}
    yield Finding("context.class-not-offered", values, tuple(_offers_shown(seen, talks[-1], offered)))


def _echo_alone(seen: Seen) -> Iterator[Finding]:
    """C-ECHO is answered with success, and what follows never comes to a C-STORE."""
    echoed = [talk for talk in seen.incoming if any(each.status == 0 for each in talk.exchanged("C-ECHO-RQ"))]
    stores = any(talk.exchanged("C-STORE-RQ") for talk in seen.incoming)
    if not seen.stores or seen.scene.met or stores or not echoed:
        return
    storing = [talk for talk in seen.incoming if talk not in echoed and talk.asked is not None]
    images = [talk for talk in (*echoed, *storing) if set(talk.offers_of) - set(_SERVICES)]
    if any(not _is_usable(talk) for talk in images):
        return  # the contexts were refused, and a card of its own says why
    if not storing:
        did = "after the C-ECHO no other association came"
    elif not images:
        did = f"{_count(len(storing), 'more association')} came, and proposed {_names(_all_offered(storing))} alone"
    else:
        did = f"{_count(len(images), 'association')} for images was accepted, and ended before a C-STORE request"
    shown = [shown for talk in storing[:1] for shown in _offers_shown(seen, talk, talk.offers_of)]
    yield Finding("echo-works-store-fails", {"did": did}, tuple(shown))


def _refused(seen: Seen) -> Iterator[Finding]:
    """The gateway does not take the class of the test, or none of the transfer syntaxes that were offered for it."""
    for talk in seen.incoming:
        if not seen.stores or talk.answered is None:
            continue
        for uid in seen.wanted_classes:
            offers = talk.offers_of.get(uid, ())
            results = {talk.result(offer) for offer in offers}
            if not offers or 0 in results or None in results:
                continue
            values = {"class": class_name(uid), "offered": _syntaxes(offers), "told": results_told(results)}
            identifier = "context.syntax-not-offered" if _SYNTAXES in results else "context.class-not-supported"
            yield Finding(identifier, values, tuple(both_shown(seen, talk, offers)))


def _syntax_missing(seen: Seen) -> Iterator[Finding]:
    """A transfer syntax that was declared is never proposed for the class of the test."""
    system = seen.scene.wanted.system
    if not seen.stores or system is None or "transfer_syntaxes" not in system.model_fields_set:
        return
    for uid in seen.wanted_classes:
        offers = [offer for talk in seen.incoming if talk.answered for offer in talk.offers_of.get(uid, ())]
        offered = {syntax for offer in offers for syntax in offer.transfer_syntax_uids}
        missing = [name for name in system.transfer_syntaxes if compression.by_name(name).uid not in offered]
        if offers and missing:
            values = {"class": class_name(uid), "offered": _syntaxes(offers), "missing": ", ".join(missing)}
            yield Finding("context.syntax-missing", values)


def _refused_there(seen: Seen) -> Iterator[Finding]:
    """The facility's SCP refuses a class, or every transfer syntax in which it was offered."""
    for talk in seen.outgoing:
        if talk.answered is None:
            continue
        for uid, offers in talk.offers_of.items():
            results = {talk.result(offer) for offer in offers}
            if uid == STORAGE_COMMITMENT.uid or 0 in results or None in results or not _is_needed(seen, uid):
                continue
            values = {"class": class_name(uid), "offered": _syntaxes(offers), "told": results_told(results)}
            syntaxes = _SYNTAXES in results
            identifier = "context.syntax-refused-by-system" if syntaxes else "context.class-refused-by-system"
            yield Finding(identifier, values, tuple(both_shown(seen, talk, offers)))


def _wrong_syntax(seen: Seen) -> Iterator[Finding]:
    """The facility's SCP accepts a context in a transfer syntax that was not proposed for it (PS3.8 9.3.3.2)."""
    for talk in seen.outgoing:
        if talk.asked is None or talk.answered is None or talk.acceptance is None:
            continue
        proposed = {offer.context_id: offer for offer in talk.asked.offers}
        for answer in talk.answered.answers:
            offer = proposed.get(answer.context_id)
            if answer.result == 0 and (offer is None or answer.transfer_syntax_uid not in offer.transfer_syntax_uids):
                values = {
                    "context": str(answer.context_id),
                    "class": class_name(offer.abstract_syntax_uid) if offer else "a context that was not proposed",
                    "offered": _syntaxes((offer,)) if offer else "nothing",
                    "answered": syntax_name(answer.transfer_syntax_uid),
                }
                shown = _answer_shown(seen, talk, talk.acceptance, answer)
                yield Finding("context.wrong-syntax-answered", values, (shown,))


def _is_needed(seen: Seen, uid: str) -> bool:
    if seen.scene.wanted.kind == "preflight":
        return uid == VERIFICATION.uid or uid in seen.wanted_classes
    return uid in seen.wanted_classes


def _is_usable(talk: Talk) -> bool:
    """Tell whether one context for images was accepted."""
    return any(
        talk.result(offer) == 0 for uid, offers in talk.offers_of.items() if uid not in _SERVICES for offer in offers
    )


def _is_commitment_alone(talk: Talk) -> bool:
    return set(talk.offers_of) == {STORAGE_COMMITMENT.uid}


def _all_offered(talks: Iterable[Talk]) -> list[str]:
    return list(dict.fromkeys(uid for talk in talks for uid in talk.offers_of))


def _offers_shown(seen: Seen, talk: Talk, uids: Iterable[str]) -> Iterator[Evidence]:
    """Yield what was proposed, context by context, no more than three of them."""
    wanted = set(uids)
    offers = [offer for offer in (talk.asked.offers if talk.asked else ()) if offer.abstract_syntax_uid in wanted]
    for offer in offers[:3]:
        if talk.request is not None:
            yield _offer_shown(seen, talk, talk.request, offer)


def both_shown(seen: Seen, talk: Talk, offers: Iterable[Offer]) -> Iterator[Evidence]:
    """Yield the first of the contexts as proposed, and as answered."""
    offer = next(iter(offers))
    if talk.request is not None:
        yield _offer_shown(seen, talk, talk.request, offer)
    answers = talk.answered.answers if talk.answered else ()
    answer = next((each for each in answers if each.context_id == offer.context_id), None)
    if answer is not None and talk.acceptance is not None:
        yield _answer_shown(seen, talk, talk.acceptance, answer)


def _offer_shown(seen: Seen, talk: Talk, request: SaidPdu, offer: Offer) -> Evidence:
    at = offer.at
    words = f"presentation context {offer.context_id} as proposed: {class_name(offer.abstract_syntax_uid)}"
    return marking.of_pdu(
        seen.capture(talk.conversation), request, words, (at.start + 8, at.end), start=at.start, end=at.end
    )


def _answer_shown(seen: Seen, talk: Talk, acceptance: SaidPdu, answer: Answer) -> Evidence:
    at = answer.at
    words = f"presentation context {answer.context_id} as answered: result {answer.result}, transfer syntax"
    marks = ((at.start + 6, at.start + 7),) if answer.result else ((at.start + 8, at.end),)
    return marking.of_pdu(seen.capture(talk.conversation), acceptance, words, *marks, start=at.start, end=at.end)


def _names(uids: Iterable[str]) -> str:
    return ", ".join(class_name(uid) for uid in uids) or "nothing"


def _syntaxes(offers: Iterable[Offer]) -> str:
    uids = dict.fromkeys(uid for offer in offers for uid in offer.transfer_syntax_uids)
    return ", ".join(syntax_name(uid) for uid in uids) or "none"


def results_told(results: Iterable[int | None]) -> str:
    """Return results of presentation contexts in the standard's words (PS3.8 9.3.3.2)."""
    told = sorted(each for each in results if each is not None)
    return ", ".join(f"result {each}, {RESULTS.get(each, 'undefined')}" for each in told) or "no answer"


def _count(number: int, what: str) -> str:
    return f"one {what}" if number == 1 else f"{number} {what}s"


RULES: tuple[Rule, ...] = (_not_offered, _echo_alone, _refused, _syntax_missing, _refused_there, _wrong_syntax)
