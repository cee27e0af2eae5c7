"""Settings of the region's central store."""

from pydantic import Field

from archive.config import ArchiveSettings, AuthoritySettings, Part


class CentralIdentity(Part):
    """Who this store is."""

    name: str = Field(default="CENTRE", min_length=1, max_length=64)
    ae_title: str = Field(default="CENTRE", min_length=1, max_length=16)
    """The AE title of its DICOM door."""


class OrganisationSettings(Part):
    """A trust of the region."""

    ods_code: str = Field(min_length=1, max_length=16)
    name: str = ""
    authorities: tuple[AuthoritySettings, ...] = Field(min_length=1)
    """Its assigning authorities; users of the trust ask by the first."""


class RegionNodeSettings(Part):
    """A node that may call."""

    name: str = Field(min_length=1, max_length=64)
    organisation: str
    ae_title: str = ""
    token_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of the node's bearer token, hexadecimal."""


class CallerSettings(Part):
    """A calling AE title at the centre's DICOM door, and the trust it asks as."""

    ae_title: str = Field(min_length=1, max_length=16)
    organisation: str


class PrefetchSettings(Part):
    """Which priors are sent ahead when a patient arrives."""

    studies: int = Field(default=10, ge=0)
    """The newest so many studies of the person."""
    deadline_minutes: int = Field(default=10, ge=0)
    """They are to be there so long after the arrival."""
    arrival_days: int = Field(default=14, ge=1)
    """An arrival stays open so long: priors that reach the centre later follow."""


class CentralSettings(ArchiveSettings):
    """The central store's configuration file."""

    central: CentralIdentity = CentralIdentity()
    organisations: tuple[OrganisationSettings, ...] = Field(min_length=1)
    nodes: tuple[RegionNodeSettings, ...] = ()
    callers: tuple[CallerSettings, ...] = ()
    prefetch: PrefetchSettings = PrefetchSettings()
