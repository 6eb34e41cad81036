"""Conformance simulator for the Hospital Authority DICOM Image Gateway."""
