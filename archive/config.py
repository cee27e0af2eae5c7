"""Settings that both tiers share. A TOML file gives them; the environment may override it.

``IMAGESTORE_LIMITS__DISK_FLOOR_BYTES=0`` overrides ``disk_floor_bytes`` in ``[limits]``.
"""

from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from archive.errors import ConfigurationInvalid
from archive.words.commitment import Proof
from archive.words.identity import AuthorityKind


class Part(BaseModel):
    """A table of the file; a key that it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AuthoritySettings(Part):
    """An assigning authority."""

    namespace: str = Field(min_length=1, max_length=64)
    """As sent in PID-3.4.1."""
    kind: AuthorityKind = AuthorityKind.MRN
    """MRN, NHS, CHI or HC."""
    oid: str = ""
    """Its OID; becomes Universal Entity ID in (0010,0024)."""


class DoorSettings(Part):
    """Where a server listens."""

    host: str = "127.0.0.1"
    """Address to bind."""
    port: int = Field(default=0, ge=0, le=65535)
    """Port to bind; 0 takes a free one and reports it."""


class DicomSettings(DoorSettings):
    """The DICOM door."""

    any_caller: bool = False
    """Take a calling AE title that no source names for one of the node's own trust."""
    processes: int = Field(default=0, ge=0, le=64)
    """Processes that receive at a node: 0 is one for each core, 1 none beside the acceptor's."""


class PeerSettings(Part):
    """A DICOM peer that is called: with C-STORE by a C-MOVE, with results of its commitments."""

    ae_title: str = Field(min_length=1, max_length=16)
    host: str
    port: int = Field(ge=1, le=65535)
    organisation: str = ""
    """Trust whose numbers the peer takes; empty is the trust that asks."""


class TokenSettings(Part):
    """A user with a bearer token. Only the token's hash is here."""

    name: str = Field(min_length=1, max_length=64)
    role: Literal["radiologist", "operator"]
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of the token, hexadecimal."""
    organisation: str = ""
    """Trust that the user asks as; empty is the region's own operator."""


class IntakeSettings(Part):
    """From the spool into the index."""

    quiet_seconds: float = Field(default=30.0, ge=0)
    """A series without an arrival for so long is sealed into a pack."""


class CommitmentSettings(Part):
    """Storage commitment (PS3.4 Annex J)."""

    proof: Proof = Proof.NODE
    """``node``: durable and verified here; ``centre``: confirmed by the central store, too."""
    wait_seconds: float = Field(default=600.0, gt=0)
    """What is not proven so long after the request is answered with a processing failure."""


class LimitSettings(Part):
    """What is refused before it does harm."""

    disk_floor_bytes: int = Field(default=2 * 1024**3, ge=0)
    """Free space kept on the spool's disk; below it a store is answered A700H."""
    associations: int = Field(default=200, ge=1, le=1000)
    """Associations open at once at the DICOM door; one more is rejected."""
    associations_per_ae: int = Field(default=50, ge=1, le=1000)
    """Of these, of one calling AE title."""
    pdu_bytes: int = Field(default=128 * 1024, ge=4096, le=1024**2)
    """Longest P-DATA-TF PDU that is taken."""
    association_idle_seconds: float = Field(default=600.0, gt=0)
    """A peer that says nothing for so long is aborted."""
    association_total_seconds: float = Field(default=12 * 3600.0, gt=0)
    """An association that is open for so long is aborted."""


class ArchiveSettings(BaseSettings):
    """What every process of a tier needs."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix="IMAGESTORE_",
        env_nested_delimiter="__",
    )

    environment: Literal["live", "test"] = "live"
    """``test`` takes NHS numbers of the range 999 alone, ``live`` all others alone."""
    directory: Path
    """Where spool, blobs, staging and the SQLite database lie."""
    broker: str
    """Celery's broker: ``redis+socket:///path?virtual_host=N``, ``redis://…``, ``amqp://…``."""
    database: str = ""
    """SQLAlchemy URL; empty is SQLite in ``directory``."""
    dicom: DicomSettings = DicomSettings()
    http: DoorSettings = DoorSettings()
    peers: tuple[PeerSettings, ...] = ()
    tokens: tuple[TokenSettings, ...] = ()
    intake: IntakeSettings = IntakeSettings()
    limits: LimitSettings = LimitSettings()

    @field_validator("directory")
    @classmethod
    def _absolute(cls, directory: Path) -> Path:
        if not directory.is_absolute():
            message = "directory must be absolute"
            raise ValueError(message)
        return directory

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - not read
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - not read
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read what is passed, then the environment, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def database_url(self) -> str:
        """The database, SQLite in ``directory`` unless one is named."""
        return self.database or f"sqlite:///{self.directory / 'index.sqlite'}"

    @property
    def spool_directory(self) -> Path:
        """Where segments lie."""
        return self.directory / "spool"

    @property
    def letterbox_directory(self) -> Path:
        """Where results of storage commitment wait for associations that are open."""
        return self.directory / "commitments"

    @property
    def blob_directory(self) -> Path:
        """Where packs lie."""
        return self.directory / "blobs"

    @property
    def staging_directory(self) -> Path:
        """Where packs are built and received."""
        return self.directory / "staging"


Settings = TypeVar("Settings", bound=ArchiveSettings)


def load(kind: type[Settings], path: Path) -> Settings:
    """Return the settings in a file.

    Raises:
        ConfigurationInvalid: the file is not there, not TOML, or a setting is wrong; the sentence
            names each wrong setting, never its value.
    """
    if not path.is_file():
        raise ConfigurationInvalid("The configuration file is not there.", path=str(path))

    class FromFile(kind):  # type: ignore[valid-type, misc]
        model_config = SettingsConfigDict(toml_file=path)

    try:
        return FromFile()
    except ValidationError as error:
        wrong = (f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise ConfigurationInvalid("; ".join(wrong), path=str(path)) from None
    except ValueError as error:
        raise ConfigurationInvalid("The file is not TOML.", path=str(path)) from error
