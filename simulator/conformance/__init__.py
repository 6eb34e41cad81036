"""The DICOM Conformance Statement of the gateway (PS3.2), written from the objects that the gateway runs on.

`document` is what a statement is made of, `statement` puts the chapters together, `render` writes it out.
"""
