"""What is held: studies, series, instances, packs."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from archive.index.tables.columns import KEY, key, metadata, part, ref, text, time

study = Table(
    "study",
    metadata,
    key("study_key"),
    ref("custodian_id", "organisation.id"),
    Column("study_instance_uid", String(64), nullable=False),
    Column("kind", String(8), nullable=False, default="study"),
    ref("authority_id", "assigning_authority.id", nullable=True),
    Column("mrn", String(64), nullable=False, default=""),
    text("patient_name"),
    text("name_match"),
    text("birth_date"),
    text("sex"),
    text("study_date"),
    text("study_time"),
    text("accession_number"),
    ref("accession_issuer_id", "assigning_authority.id", nullable=True),
    text("study_id"),
    text("description"),
    text("referring_physician"),
    Column("state", String(16), nullable=False),
    Column("revision", Integer, nullable=False, default=0),
    time("registered_at"),
    Column("registered_day", String(10), nullable=False),
    time("last_arrival_at"),
    UniqueConstraint("custodian_id", "study_instance_uid"),
    Index(None, "study_instance_uid"),
    Index(None, "authority_id", "mrn"),
    Index(None, "accession_number"),
    Index(None, "study_date"),
    Index(None, "name_match"),
)
"""A study in one organisation's custody; several may hold the same UID for their own patients.

``kind`` is ``study``, or ``folder`` for the documents of a patient that name no study.
"""

series = Table(
    "series",
    metadata,
    Column("study_key", KEY, ForeignKey("study.study_key"), primary_key=True),
    part("series_no"),
    Column("series_instance_uid", String(64), nullable=False),
    Column("kind", String(12), nullable=False, default="series"),
    text("modality"),
    text("series_number"),
    text("description"),
    text("body_part"),
    text("laterality"),
    text("series_date"),
    text("series_time"),
    Column("revision", Integer, nullable=False, default=0),
    Column("sealed_revision", Integer, nullable=False, default=0),
    time("registered_at"),
    time("last_arrival_at"),
    UniqueConstraint("study_key", "series_instance_uid"),
    Index(None, "series_instance_uid"),
)
"""``kind`` is ``series`` or ``documents``. Unsealed while sealed_revision < revision."""

instance = Table(
    "instance",
    metadata,
    part("study_key"),
    part("series_no"),
    Column("sop_instance_uid", String(64), primary_key=True),
    Column("sha256", LargeBinary(32), primary_key=True),
    Column("transfer_syntax", String(64), nullable=False),
    Column("sop_class_uid", String(64), nullable=False),
    text("instance_number"),
    Column("size", BigInteger, nullable=False),
    Column("segment", String(64), nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("data_set_offset", BigInteger, nullable=False),
    ref("source_id", "source.id", nullable=True),
    text("calling_ae"),
    text("called_ae"),
    time("arrived_at"),
    Index(None, "segment"),
)
"""A loose instance or document, not sealed yet: its octets lie in a spool segment.

``offset`` and ``length`` are of the Part 10 octets in the segment, ``data_set_offset`` is where
the Data Set begins inside them, ``size`` the length of the Data Set.
"""

pack = Table(
    "pack",
    metadata,
    part("study_key"),
    part("series_no"),
    part("pack_no"),
    Column("kind", String(12), nullable=False),
    Column("content_id", LargeBinary(32), nullable=False),
    Column("encoding_id", LargeBinary(32), nullable=True),
    Column("length", BigInteger, nullable=False, default=0),
    Column("instance_count", Integer, nullable=False),
    Column("octets", BigInteger, nullable=False),
    Column("manifest", LargeBinary, nullable=False),
    Column("layout", LargeBinary, nullable=True),
    Column("origin", Text, nullable=False),
    Column("withheld", Boolean, nullable=False, default=False),
    Column("registered_day", String(10), nullable=False),
    time("sealed_at"),
    time("held_at", nullable=True),
    Index(None, "content_id"),
    Index(None, "encoding_id"),
)
"""A sealed pack. Without ``encoding_id`` it is announced, and its bytes are elsewhere.

``withheld`` packs hold an unsettled conflict and do not leave the trust.
"""

sop = Table(
    "sop",
    metadata,
    Column("hash", BigInteger, primary_key=True, autoincrement=False),
    Column("custodian_id", KEY, primary_key=True, autoincrement=False),
    part("study_key"),
    part("series_no"),
    part("pack_no"),
    sqlite_with_rowid=False,
)
"""Candidates for a SOP Instance UID by its keyed hash; ``pack_no`` 0 is loose."""
