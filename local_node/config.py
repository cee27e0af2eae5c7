"""Settings of a trust's node."""

from typing import Self

from pydantic import Field, model_validator

from archive.config import (
    ArchiveSettings,
    AuthoritySettings,
    CommitmentSettings,
    DoorSettings,
    Part,
)
from archive.words.commitment import Proof


class NodeIdentity(Part):
    """Who this node is."""

    name: str = Field(min_length=1, max_length=64)
    """The node's name in the region."""
    organisation: str = Field(min_length=1, max_length=16)
    """ODS code of its trust."""
    ae_title: str = Field(min_length=1, max_length=16)
    """The AE title of its DICOM door."""


class SourceSettings(Part):
    """What a calling AE or an HL7 feed stands for."""

    kind: str = Field(pattern=r"^(dicom|hl7)$")
    name: str = Field(min_length=1, max_length=64)
    """Calling AE title, or ``MSH-3|MSH-4`` of the feed."""
    authority: str = ""
    """Namespace of its patient numbers; empty is the first authority."""
    site: str = ""


class MllpSettings(DoorSettings):
    """The HL7 door."""

    idle_seconds: float = Field(default=30.0, gt=0)
    """Silence inside a message for so long ends the connection; the half is not acknowledged."""


class CentreSettings(Part):
    """The region's central store."""

    url: str
    """Base URL, without ``/tiers``."""
    token: str
    """This node's bearer token at the centre."""
    wait_seconds: float = Field(default=25.0, gt=0, le=60)
    """How long the centre may keep the question for orders open."""


class NodeSettings(ArchiveSettings):
    """A node's configuration file."""

    node: NodeIdentity
    authorities: tuple[AuthoritySettings, ...] = Field(min_length=1)
    """The trust's assigning authorities; the first is the default."""
    sources: tuple[SourceSettings, ...] = ()
    mllp: MllpSettings = MllpSettings()
    commitment: CommitmentSettings = CommitmentSettings()
    centre: CentreSettings | None = None
    """Absent: the node archives, answers and keeps everything to itself."""

    @model_validator(mode="after")
    def _proof_can_be_had(self) -> Self:
        if self.commitment.proof is Proof.CENTRE and self.centre is None:
            message = "commitment.proof asks a centre, and there is no table [centre]"
            raise ValueError(message)
        return self
