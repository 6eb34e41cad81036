"""The room that speaks protocols and decides nothing; the only one that imports pynetdicom or hl7.

`association` and `data_set` are DICOM's upper layer and encoding, `mllp` and `hl7_messages` are HL7 v2,
`gateway_api` is the gateway's own HTTP interface as its users see it. `pdu_stream`, `pdu_builders` and
`command_set` are PDUs as bytes, right or wrong; `pdu_script` and `faults` are how scripts of them, and faults of
a connection, are written.
"""
