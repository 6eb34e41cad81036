"""The reference implementation of the HA DICOM Image Gateway: the judged.

`pipeline` tells the story of an instance; `server` puts the parts together and starts them.
"""
