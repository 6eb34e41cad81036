"""The presentation contexts of a test: what was proposed, what was accepted of it, and what the test needs."""

from __future__ import annotations

from simulator.certify.outcome import ContextSeen
from simulator.certify.scene import Scene, Wanted
from simulator.certify.seeing import class_name, syntax_name
from simulator.rules.sop_classes import STORAGE_COMMITMENT, VERIFICATION
from simulator.wire import negotiation, transcript
from simulator.wire.negotiated import RESULTS


def contexts(scene: Scene) -> tuple[ContextSeen, ...]:
    """Return each context that was proposed, once, and then what the test needs and nobody proposed."""
    needed = _needed(scene.wanted)
    seen: dict[ContextSeen, None] = {}
    proposed = set()
    for conversation in scene.conversations:
        for context in negotiation.proposed(transcript.read(conversation)):
            proposed.add(context.abstract_syntax_uid)
            seen[_seen(conversation.link, context, needed)] = None
    missing = [
        ContextSeen(link="", abstract_syntax=class_name(uid), answer="never proposed", accepted=False, needed=True)
        for uid in needed
        if uid not in proposed
    ]
    return (*seen, *missing) if seen else ()


def _seen(link: str, context: negotiation.Context, needed: tuple[str, ...]) -> ContextSeen:
    refused = "not answered" if context.result is None else RESULTS.get(context.result, "refused")
    return ContextSeen(
        link=link,
        abstract_syntax=class_name(context.abstract_syntax_uid),
        transfer_syntaxes=tuple(syntax_name(uid) for uid in context.transfer_syntax_uids),
        answer=f"accepted: {syntax_name(context.transfer_syntax_uid)}" if context.is_accepted else refused,
        accepted=context.is_accepted,
        needed=context.abstract_syntax_uid in needed,
    )


def _needed(wanted: Wanted) -> tuple[str, ...]:
    """Return the abstract syntaxes without which the test cannot pass."""
    if wanted.kind == "echo":
        return (VERIFICATION.uid,)
    own = (wanted.sop_class_uid,) if wanted.sop_class_uid else ()
    return (*own, STORAGE_COMMITMENT.uid) if wanted.kind == "commitment" else own
