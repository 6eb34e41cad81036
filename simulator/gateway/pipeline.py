"""The whole story of an instance, and of the study that it belongs to.

`receive -> Received -> persist -> Stored`, in the thread of the association, before C-STORE is answered; then, off it
and study by study, `inspect -> Inspected -> match -> Matched | Unmatched -> policy -> Verdict`; anew for a late order.
Each step takes the last one's frozen type, so no order is wrong; bad data is a value, never an exception.
"""

from __future__ import annotations

from simulator.gateway import correction, duplicates, filing, second_look, statuses
from simulator.gateway.first_look import taken_in
from simulator.gateway.header import Header
from simulator.gateway.index import Index
from simulator.gateway.rows import InstanceRow
from simulator.gateway.steps import Inspected, Matched, Received, Refused, Stored, Unmatched, Verdict
from simulator.gateway.store import Store
from simulator.rules import identity, image_count, matching
from simulator.site import Site
from simulator.wire.association import StoreRequest


def receive(request: StoreRequest, site: Site, index: Index, store: Store) -> Received | Refused:
    """Take an instance, or say with which status it is refused."""
    found = taken_in(request, site)
    if isinstance(found, Refused):
        return found
    known = duplicates.known(found, request, index, store)
    if known.verdict == "other":
        comment = "an instance with this UID and other content is held already"
        return Refused(request, statuses.HELD_WITH_OTHER_CONTENT.response(comment), found)
    rule = site.image_count_rule()
    if known.verdict == "new" and not rule.admits(index.ever_held(found.study_instance_uid) + (not known.was_held)):
        comment = f"more than {site.image_limit.limit} images in this study"
        return Refused(request, statuses.beyond_image_limit(site).response(comment), found, exceeds_image_limit=True)
    return Received(request, found, known.verdict == "repeated", known.was_held)


def persist(received: Received, store: Store) -> Stored:
    """Write the file. Raises `OSError` when the file system does not take it."""
    request, head = received.request, received.header
    name, digest = filing.write(request, head, store)
    written = row(head, request.transfer_syntax_uid, digest, name, request.calling_ae_title)
    return Stored(written, received.was_held)


def row(head: Header, transfer_syntax_uid: str, digest: str, file: str, calling_ae_title: str) -> InstanceRow:
    """Return what the index says of an instance that lies in the store."""
    return InstanceRow(
        sop_instance_uid=head.sop_instance_uid,
        study_instance_uid=head.study_instance_uid,
        series_instance_uid=head.series_instance_uid,
        sop_class_uid=head.sop_class_uid,
        transfer_syntax_uid=transfer_syntax_uid,
        data_set_digest=digest,
        file=file,
        calling_ae_title=calling_ae_title,
        keys=head.keys,
    )


def inspect(study_instance_uid: str, index: Index) -> Inspected:
    """Gather what matching needs of a study that has at least one instance."""
    keys = index.study_keys(study_instance_uid)
    # Instances that disagree are judged by a number that was ordered, whichever of them came first.
    numbers = sorted({each.accession_number for each in keys})
    accession_number = next((number for number in numbers if index.order(number) is not None), numbers[0])
    study = index.study(study_instance_uid)
    return Inspected(
        study_instance_uid=study_instance_uid,
        keys=keys,
        instances=index.ever_held(study_instance_uid),
        exceeded=study is not None and image_count.EXCEEDED in study.reasons,
        order=index.order(accession_number),
        accession_taken=index.matched_by_another(accession_number, study_instance_uid),
        sent=index.is_sent(study_instance_uid),
    )


def match(study: Inspected, site: Site) -> Matched | Unmatched:
    """Compare the study with its order: accession number first, then the four major keys."""
    reasons = matching.decide(study.keys, study.order, site.accession_rules(), study.accession_taken)
    if reasons or study.order is None:
        return Unmatched(study, reasons)
    return Matched(study, study.order)


def policy(outcome: Matched | Unmatched, site: Site) -> Verdict:
    """Apply what the site does with matched and unmatched studies, and the rule about images a study."""
    rule = site.image_count_rule()
    warnings = rule.warnings(outcome.study.instances) + identity.warnings([k.keys for k in outcome.study.keys])
    if outcome.study.exceeded or not rule.admits(outcome.study.instances):
        return second_look.told(Verdict("rejected", (image_count.EXCEEDED,), warnings, ""), outcome.study)
    if isinstance(outcome, Unmatched):
        return second_look.told(correction.verdict(outcome, site, warnings), outcome.study)
    return Verdict("matched", (), warnings, outcome.order.accession_number)
