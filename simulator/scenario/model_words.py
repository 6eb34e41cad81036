"""Words that every part of a scenario file uses: names, statuses, states, transfer syntaxes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
Status = Annotated[str, Field(pattern=r"^[0-9A-F]{4}$")]
RemoteName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,15}$")]
State = Literal["receiving", "unmatched", "matched", "forwarding", "forwarded", "rejected", "failed"]
Part = Literal["sends", "receives", "orders", "commitment", "tls"]
"""What a facility does: sends images, receives them, sends orders, asks for commitment, speaks DICOM TLS."""

TransferSyntax = Literal[
    "ImplicitVRLittleEndian",
    "ExplicitVRLittleEndian",
    "ExplicitVRBigEndian",
    "DeflatedExplicitVRLittleEndian",
    "RLELossless",
    "JPEGBaseline8Bit",
    "JPEGLosslessSV1",
    "JPEGLSLossless",
    "JPEG2000Lossless",
]
ContextAnswer = Literal[
    TransferSyntax,
    "user-rejection",
    "no-reason",
    "abstract-syntax-not-supported",
    "transfer-syntaxes-not-supported",
]
"""How a presentation context is answered (PS3.8 9.3.3.2): by the transfer syntax accepted, or by why none was."""
MaximumLength = Annotated[int, Field(ge=0, le=0xFFFFFFFF)]
"""Of P-DATA-TF, in bytes (PS3.8 D.1); 0: any."""
CharacterSet = Literal["ISO_IR 6", "ISO_IR 100", "ISO_IR 192", "GB18030", "ISO 2022 IR 58"]


class Strict(BaseModel):
    """A model that takes the keys it knows and no other."""

    model_config = ConfigDict(extra="forbid", frozen=True)
