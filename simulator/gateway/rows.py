"""Rows of the index as its readers get them."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.rules.matching import StudyKeys


@dataclass(frozen=True, slots=True)
class InstanceRow:
    """One instance as it is indexed; `file` is the store's name for it."""

    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    data_set_digest: str
    file: str
    calling_ae_title: str
    keys: StudyKeys


@dataclass(frozen=True, slots=True)
class StudyRow:
    """One study: its state and why; `order_accession` is empty until it matched an order."""

    study_instance_uid: str
    accession_number: str
    state: str
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    order_accession: str = ""
