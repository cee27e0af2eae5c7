"""One schema for both tiers.

Times are whole milliseconds since 1970, UTC. Digests are the 32 bytes of a SHA-256. Children of a
study begin their key with ``study_key``; ``sop`` is keyed by a keyed hash of the SOP Instance UID.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeEngine

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

_KEY: TypeEngine[int] = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only for a column of type INTEGER."""


def _key(name: str) -> Column[int]:
    return Column(name, _KEY, primary_key=True, autoincrement=True)


def _part(name: str) -> Column[int]:
    return Column(name, _KEY, primary_key=True, autoincrement=False)


def _ref(name: str, target: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, _KEY, ForeignKey(target), nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, default="", server_default="")


# --- who is who -----------------------------------------------------------------------------

setting = Table(
    "setting",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

organisation = Table(
    "organisation",
    metadata,
    _key("id"),
    Column("ods_code", String(16), nullable=False, unique=True),
    _text("name"),
    _time("valid_from", nullable=True),
    _time("valid_to", nullable=True),
    _ref("successor_id", "organisation.id", nullable=True),
)
"""A trust by its ODS code. The empty code is the nation, which issues NHS numbers."""

site = Table(
    "site",
    metadata,
    _key("id"),
    _ref("organisation_id", "organisation.id"),
    Column("code", String(32), nullable=False),
    _text("name"),
    UniqueConstraint("organisation_id", "code"),
)

assigning_authority = Table(
    "assigning_authority",
    metadata,
    _key("id"),
    _ref("organisation_id", "organisation.id"),
    Column("namespace", String(64), nullable=False),
    _text("oid"),
    Column("kind", String(8), nullable=False),
    UniqueConstraint("organisation_id", "namespace"),
)

node = Table(
    "node",
    metadata,
    _key("id"),
    Column("name", String(64), nullable=False, unique=True),
    _ref("organisation_id", "organisation.id"),
    _text("ae_title"),
    _time("last_heard_at", nullable=True),
)

source = Table(
    "source",
    metadata,
    _key("id"),
    _ref("node_id", "node.id"),
    Column("kind", String(8), nullable=False),
    Column("name", String(64), nullable=False),
    _ref("organisation_id", "organisation.id"),
    _ref("site_id", "site.id", nullable=True),
    _ref("authority_id", "assigning_authority.id", nullable=True),
    UniqueConstraint("node_id", "kind", "name"),
)
"""(node, calling AE or HL7 feed) to organisation, site and default authority; ``*`` is any."""

local_patient = Table(
    "local_patient",
    metadata,
    _key("id"),
    _ref("authority_id", "assigning_authority.id"),
    Column("mrn", String(64), nullable=False),
    _text("name"),
    _text("name_match"),
    _text("birth_date"),
    _text("sex"),
    _text("postcode"),
    _text("nhs_number"),
    _text("nhs_status"),
    Column("active", Boolean, nullable=False, default=True),
    _ref("surviving_id", "local_patient.id", nullable=True),
    _time("updated_at"),
    UniqueConstraint("authority_id", "mrn"),
    Index(None, "nhs_number"),
    Index(None, "name_match"),
)
"""One patient of one assigning authority, as that authority's PAS tells."""

identity_link = Table(
    "identity_link",
    metadata,
    _key("id"),
    _ref("patient_a", "local_patient.id"),
    _ref("patient_b", "local_patient.id"),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    _text("rule"),
    _text("evidence"),
    _text("actor"),
    _time("at"),
    UniqueConstraint("patient_a", "patient_b"),
    Index(None, "patient_b"),
)
"""An edge between two local patients, ``patient_a`` < ``patient_b``. A person is a component."""

accession_alias = Table(
    "accession_alias",
    metadata,
    Column("alias", String(16), primary_key=True),
    _ref("custodian_id", "organisation.id"),
    _ref("issuer_id", "assigning_authority.id", nullable=True),
    Column("accession_number", String(64), nullable=False),
    Index(None, "custodian_id", "accession_number"),
)
"""What another trust sees for an accession number, for good and in both directions."""

# --- what is held ---------------------------------------------------------------------------

study = Table(
    "study",
    metadata,
    _key("study_key"),
    _ref("custodian_id", "organisation.id"),
    Column("study_instance_uid", String(64), nullable=False),
    Column("kind", String(8), nullable=False, default="study"),
    _ref("authority_id", "assigning_authority.id", nullable=True),
    Column("mrn", String(64), nullable=False, default=""),
    _text("patient_name"),
    _text("name_match"),
    _text("birth_date"),
    _text("sex"),
    _text("study_date"),
    _text("study_time"),
    _text("accession_number"),
    _ref("accession_issuer_id", "assigning_authority.id", nullable=True),
    _text("study_id"),
    _text("description"),
    _text("referring_physician"),
    Column("state", String(16), nullable=False),
    Column("revision", Integer, nullable=False, default=0),
    _time("registered_at"),
    Column("registered_day", String(10), nullable=False),
    _time("last_arrival_at"),
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
    Column("study_key", _KEY, ForeignKey("study.study_key"), primary_key=True),
    _part("series_no"),
    Column("series_instance_uid", String(64), nullable=False),
    Column("kind", String(12), nullable=False, default="series"),
    _text("modality"),
    _text("series_number"),
    _text("description"),
    _text("body_part"),
    _text("laterality"),
    _text("series_date"),
    _text("series_time"),
    Column("revision", Integer, nullable=False, default=0),
    Column("sealed_revision", Integer, nullable=False, default=0),
    _time("registered_at"),
    _time("last_arrival_at"),
    UniqueConstraint("study_key", "series_instance_uid"),
    Index(None, "series_instance_uid"),
)
"""``kind`` is ``series`` or ``documents``. Unsealed while sealed_revision < revision."""

instance = Table(
    "instance",
    metadata,
    _part("study_key"),
    _part("series_no"),
    Column("sop_instance_uid", String(64), primary_key=True),
    Column("sha256", LargeBinary(32), primary_key=True),
    Column("transfer_syntax", String(64), nullable=False),
    Column("sop_class_uid", String(64), nullable=False),
    _text("instance_number"),
    Column("size", BigInteger, nullable=False),
    Column("segment", String(64), nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("data_set_offset", BigInteger, nullable=False),
    _ref("source_id", "source.id", nullable=True),
    _text("calling_ae"),
    _text("called_ae"),
    _time("arrived_at"),
    Index(None, "segment"),
)
"""A loose instance or document, not sealed yet: its octets lie in a spool segment.

``offset`` and ``length`` are of the Part 10 octets in the segment, ``data_set_offset`` is where
the Data Set begins inside them, ``size`` the length of the Data Set.
"""

pack = Table(
    "pack",
    metadata,
    _part("study_key"),
    _part("series_no"),
    _part("pack_no"),
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
    _time("sealed_at"),
    _time("held_at", nullable=True),
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
    Column("custodian_id", _KEY, primary_key=True, autoincrement=False),
    _part("study_key"),
    _part("series_no"),
    _part("pack_no"),
    sqlite_with_rowid=False,
)
"""Candidates for a SOP Instance UID by its keyed hash; ``pack_no`` 0 is loose."""

instance_state = Table(
    "instance_state",
    metadata,
    _part("custodian_id"),
    Column("sop_instance_uid", String(64), primary_key=True),
    Column("sha256", LargeBinary(32), primary_key=True),
    Column("numbered_by", String(64), primary_key=True),
    Column("state", String(12), nullable=False),
    Column("serves", Boolean, nullable=False, default=True),
    _text("code"),
    _text("actor"),
    _time("at"),
    Column("seq", BigInteger, nullable=False),
    UniqueConstraint("custodian_id", "numbered_by", "seq"),
)
"""The overlay. An empty digest means whatever octets come under the UID.

``serves`` is false for the one of two equal or revised instances that is kept beside the other.
``numbered_by`` is the node or centre at whose door it was decided: ``seq`` has no gaps within a
custodian and the tier that numbers; the newest row of a key keeps the highest.
"""

sighting = Table(
    "sighting",
    metadata,
    _key("id"),
    _ref("custodian_id", "organisation.id"),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),
    Column("transfer_syntax", String(64), nullable=False),
    Column("answer", String(16), nullable=False),
    Column("of_sha256", LargeBinary(32), nullable=True),
    _text("differences"),
    _text("calling_ae"),
    _time("at"),
    Index(None, "sop_instance_uid"),
)
"""What register() answered other than Registered and AlreadyHeld, with its evidence."""

segment_progress = Table(
    "segment_progress",
    metadata,
    Column("segment", String(64), primary_key=True),
    Column("done", Integer, nullable=False),
    Column("state", String(12), nullable=False),
)
"""How far intake is in a spool segment: the sequence number of the last record taken in.

Written in the transaction that takes the record in, so that nothing is taken in or counted twice.
"""

document = Table(
    "document",
    metadata,
    _part("study_key"),
    Column("document_uid", String(64), primary_key=True),
    _ref("custodian_id", "organisation.id"),
    _ref("authority_id", "assigning_authority.id", nullable=True),
    Column("mrn", String(64), nullable=False, default=""),
    _text("accession_number"),
    _ref("accession_issuer_id", "assigning_authority.id", nullable=True),
    _text("study_instance_uid"),
    _text("media_type"),
    _text("charset"),
    _text("title"),
    _text("report_status"),
    _text("replaces"),
    Column("sha256", LargeBinary(32), nullable=False),
    _time("received_at"),
    Index(None, "accession_number"),
)
"""A report beside its series; its octets are an instance of the study's documents series."""

place = Table(
    "place",
    metadata,
    _key("id"),
    Column("kind", String(12), nullable=False),
    Column("name", String(64), nullable=False),
    UniqueConstraint("kind", "name"),
)
"""Where copies can be: ``node``, ``centre``, ``vendor_pacs``, ``export``."""

copy = Table(
    "copy",
    metadata,
    _part("study_key"),
    _part("series_no"),
    _part("pack_no"),
    Column("place_id", _KEY, ForeignKey("place.id"), primary_key=True),
    Column("state", String(12), nullable=False),
    _time("at"),
    _time("verified_at", nullable=True),
)

delivery = Table(
    "delivery",
    metadata,
    _key("id"),
    _time("at"),
    _ref("organisation_id", "organisation.id", nullable=True),
    Column("destination", String(64), nullable=False),
    Column("means", String(12), nullable=False),
    _ref("custodian_id", "organisation.id"),
    Column("study_instance_uid", String(64), nullable=False),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),
    Column("stamped", Boolean, nullable=False),
    Index(None, "sop_instance_uid", "organisation_id"),
)
"""What left by C-MOVE, C-GET, WADO or an order, to whom. ``organisation_id`` is the receiver."""

pin = Table(
    "pin",
    metadata,
    _part("study_key"),
    Column("reason", String(32), primary_key=True),
    Column("wanted_by", String(64), primary_key=True),
    _time("until", nullable=True),
)

held = Table(
    "held",
    metadata,
    _key("id"),
    _time("at"),
    Column("reason", String(32), nullable=False),
    _text("sentence"),
    _text("calling_ae"),
    _text("called_ae"),
    _text("command_sop_class_uid"),
    _text("command_sop_instance_uid"),
    _text("transfer_syntax"),
    Column("sha256", LargeBinary(32), nullable=False),
    Column("size", BigInteger, nullable=False),
    _time("resolved_at", nullable=True),
    UniqueConstraint("sha256", "reason"),
)
"""Objects kept but not indexed: octets in the blob store under ``held``, the reason here."""

data_quality = Table(
    "data_quality",
    metadata,
    _key("id"),
    _time("at"),
    _ref("organisation_id", "organisation.id", nullable=True),
    Column("code", String(32), nullable=False),
    _text("sentence"),
    _text("subject"),
    _time("resolved_at", nullable=True),
)
"""What a person must look at. ``subject`` is a key (message id, study), never a patient."""

journal = Table(
    "journal",
    metadata,
    Column("kind", String(16), primary_key=True),
    _part("organisation_id"),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    _time("at"),
    _text("subject"),
    Column("body", LargeBinary, nullable=False),
    Column("chain", LargeBinary(32), nullable=False),
    Index(None, "subject"),
)
"""Append-only: SHA-256 chained per (kind, organisation), ``seq`` from 1 without gaps."""

tally = Table(
    "tally",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("name", String(48), primary_key=True),
    Column("count", BigInteger, nullable=False),
)
"""Counts per UTC day: register() answers and the like."""

# --- work -----------------------------------------------------------------------------------

job = Table(
    "job",
    metadata,
    _key("id"),
    Column("kind", String(32), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("destination", String(64), nullable=False),
    Column("class", String(12), nullable=False),
    Column("weight", Integer, nullable=False, default=0),
    Column("state", String(12), nullable=False),
    Column("idempotency_key", String(200), nullable=False, unique=True),
    _text("wanted_by"),
    _text("payload"),
    _time("created_at"),
    _time("not_before"),
    _time("deadline", nullable=True),
    Column("attempt", Integer, nullable=False, default=0),
    _text("lease_owner"),
    _time("lease_until", nullable=True),
    Column("token", BigInteger, nullable=False, default=0),
    _text("cause"),
    _time("finished_at", nullable=True),
    Index(None, "state", "class", "weight", "deadline", "id"),
    Index(None, "subject"),
)

job_event = Table(
    "job_event",
    metadata,
    _part("job_id"),
    _part("seq"),
    _time("at"),
    Column("state", String(12), nullable=False),
    _text("evidence"),
)

job_heartbeat = Table(
    "job_heartbeat",
    metadata,
    _part("job_id"),
    _time("at"),
    _text("progress"),
)

# --- the centre's orders --------------------------------------------------------------------

arrival = Table(
    "arrival",
    metadata,
    _key("id"),
    _ref("node_id", "node.id"),
    _ref("authority_id", "assigning_authority.id"),
    Column("mrn", String(64), nullable=False),
    Column("event", String(8), nullable=False),
    Column("message_key", String(200), nullable=False),
    _time("at"),
    _time("deadline"),
    _time("closed_at", nullable=True),
    UniqueConstraint("node_id", "message_key"),
    Index(None, "authority_id", "mrn"),
)
"""A patient turned up at a trust; open while the trust may still need priors."""

node_order = Table(
    "node_order",
    metadata,
    _key("id"),
    _ref("node_id", "node.id"),
    Column("kind", String(16), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("class", String(12), nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(12), nullable=False),
    _ref("arrival_id", "arrival.id", nullable=True),
    _time("deadline", nullable=True),
    _time("offered_at"),
    _time("acknowledged_at", nullable=True),
    _time("finished_at", nullable=True),
    _text("outcome"),
    Column("idempotency_key", String(200), nullable=False),
    UniqueConstraint("node_id", "idempotency_key"),
    Index(None, "node_id", "state"),
)
"""What the centre asks of a node: offered until the node acknowledges its id."""
