"""The tables of the index: one layout, with a version that a gateway compares before it opens a data folder."""

from __future__ import annotations

from typing import Final

from simulator.gateway import acts, audit

FILE_NAME: Final = "index.sqlite"
VERSION: Final = 3

_SCHEMA = """
CREATE TABLE instance (
    sop_instance_uid TEXT PRIMARY KEY,
    study_instance_uid TEXT NOT NULL,
    series_instance_uid TEXT NOT NULL,
    sop_class_uid TEXT NOT NULL,
    transfer_syntax_uid TEXT NOT NULL,
    data_set_digest TEXT NOT NULL,
    file TEXT NOT NULL,
    calling_ae_title TEXT NOT NULL,
    accession_number TEXT NOT NULL,
    hkid TEXT NOT NULL,
    name TEXT NOT NULL,
    birth_date TEXT NOT NULL,
    sex TEXT NOT NULL
) STRICT;
CREATE INDEX instance_study ON instance (study_instance_uid);
CREATE TABLE study (
    study_instance_uid TEXT PRIMARY KEY,
    accession_number TEXT NOT NULL,
    state TEXT NOT NULL,
    reasons TEXT NOT NULL,
    warnings TEXT NOT NULL,
    order_accession TEXT NOT NULL
) STRICT;
CREATE INDEX study_accession ON study (accession_number);
CREATE INDEX study_order ON study (order_accession);
CREATE TABLE orders (
    accession_number TEXT PRIMARY KEY,
    hkid TEXT NOT NULL,
    name TEXT NOT NULL,
    birth_date TEXT NOT NULL,
    sex TEXT NOT NULL,
    cancelled INTEGER NOT NULL,
    patient TEXT NOT NULL,
    to_match INTEGER NOT NULL
) STRICT;
CREATE INDEX orders_patient ON orders (patient);
CREATE TABLE order_message (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    accession_number TEXT NOT NULL,
    at TEXT NOT NULL,
    control_id TEXT NOT NULL,
    message_type TEXT NOT NULL,
    order_control TEXT NOT NULL,
    message TEXT NOT NULL
) STRICT;
CREATE INDEX order_message_order ON order_message (accession_number);
CREATE TABLE delivery (
    sop_instance_uid TEXT NOT NULL,
    destination TEXT NOT NULL,
    status TEXT NOT NULL,
    PRIMARY KEY (sop_instance_uid, destination)
) STRICT;
CREATE TABLE commitment (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    transaction_uid TEXT NOT NULL,
    calling_ae_title TEXT NOT NULL,
    state TEXT NOT NULL,
    instances TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE commitment_asked (
    transaction_uid TEXT PRIMARY KEY,
    destination TEXT NOT NULL,
    dispatch INTEGER NOT NULL,
    study_instance_uid TEXT NOT NULL,
    instances TEXT NOT NULL
) STRICT;
CREATE TABLE delivery_commitment (
    sop_instance_uid TEXT NOT NULL,
    destination TEXT NOT NULL,
    PRIMARY KEY (sop_instance_uid, destination)
) STRICT, WITHOUT ROWID;
CREATE INDEX commitment_transaction ON commitment (transaction_uid);
CREATE TABLE dispatch (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    destination TEXT NOT NULL,
    study_instance_uid TEXT NOT NULL,
    series_instance_uid TEXT NOT NULL,
    sop_instance_uid TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    due REAL NOT NULL,
    problem TEXT NOT NULL,
    UNIQUE (destination, study_instance_uid, series_instance_uid, sop_instance_uid)
) STRICT;
CREATE INDEX dispatch_study ON dispatch (study_instance_uid);
CREATE TABLE dispatch_instance (
    dispatch INTEGER NOT NULL,
    sop_instance_uid TEXT NOT NULL,
    PRIMARY KEY (dispatch, sop_instance_uid)
) STRICT, WITHOUT ROWID;
CREATE TABLE retention (
    study_instance_uid TEXT PRIMARY KEY,
    forwarded_at REAL NOT NULL,
    purging INTEGER NOT NULL,
    purged_at TEXT NOT NULL
) STRICT;
CREATE TABLE purged_instance (
    sop_instance_uid TEXT PRIMARY KEY,
    study_instance_uid TEXT NOT NULL,
    content_digest TEXT NOT NULL
) STRICT;
CREATE INDEX purged_study ON purged_instance (study_instance_uid);
CREATE TABLE event (sequence INTEGER PRIMARY KEY AUTOINCREMENT, record TEXT NOT NULL) STRICT;
"""
SCHEMA: Final = "".join((_SCHEMA, acts.SCHEMA, audit.SCHEMA))
