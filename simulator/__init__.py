"""Conformance simulator for the Hospital Authority DICOM Image Gateway."""

__version__ = "0.1.0"
