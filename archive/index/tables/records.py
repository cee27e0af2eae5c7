"""What is told of what is held: states, copies, documents, journals, findings."""

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
    UniqueConstraint,
)

from archive.index.tables.columns import KEY, key, metadata, part, ref, text, time

instance_state = Table(
    "instance_state",
    metadata,
    part("custodian_id"),
    Column("sop_instance_uid", String(64), primary_key=True),
    Column("sha256", LargeBinary(32), primary_key=True),
    Column("numbered_by", String(64), primary_key=True),
    Column("state", String(12), nullable=False),
    Column("serves", Boolean, nullable=False, default=True),
    text("code"),
    text("actor"),
    time("at"),
    Column("seq", BigInteger, nullable=False),
    Index(None, "custodian_id", "numbered_by", "seq"),
)
"""The overlay. An empty digest means whatever octets come under the UID.

``serves`` is false for the one of two equal or revised instances that is kept beside the other.
``numbered_by`` is the node or centre at whose door it was decided: ``seq`` has no gaps within a
custodian and the tier that numbers; the newest row of a key keeps the highest. Elsewhere a number
may be there twice: a node set back to a backup uses its numbers again.
"""

sighting = Table(
    "sighting",
    metadata,
    key("id"),
    ref("custodian_id", "organisation.id"),
    Column("sop_instance_uid", String(64), nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),
    Column("transfer_syntax", String(64), nullable=False),
    Column("answer", String(16), nullable=False),
    Column("of_sha256", LargeBinary(32), nullable=True),
    text("differences"),
    text("calling_ae"),
    time("at"),
    Index(None, "sop_instance_uid"),
)
"""What register() answered other than Registered, with its evidence.

Of AlreadyHeld only what came from another AE than before, once: ``calling_ae`` may ask whether it
is committed.
"""

commitment = Table(
    "commitment",
    metadata,
    key("id"),
    Column("calling_ae", String(64), nullable=False),
    Column("transaction_uid", String(64), nullable=False),
    Column("content", LargeBinary(32), nullable=False),
    ref("custodian_id", "organisation.id"),
    Column("state", String(12), nullable=False),
    Column("body", LargeBinary, nullable=False),
    text("awaits"),
    time("requested_at"),
    time("judged_at", nullable=True),
    time("reported_at", nullable=True),
    UniqueConstraint("calling_ae", "transaction_uid", "content"),
    Index(None, "state"),
)
"""A storage commitment request: what is asked until it is judged, then the result.

``content`` is the SHA-256 of what is asked for. ``awaits`` lists the spool segments that may hold
some of it. A second request under a Transaction UID that asks for something else has a row too.
"""

segment_progress = Table(
    "segment_progress",
    metadata,
    Column("segment", String(64), primary_key=True),
    Column("done", Integer, nullable=False),
    Column("state", String(12), nullable=False),
    text("to_compare"),
)
"""How far intake is in a spool segment: the sequence number of the last record it has been at.

``to_compare``: numbers of records among them, parted by spaces, that are not taken in yet.

Written in the transaction that takes the record in, so that nothing is taken in or counted twice.
"""

document = Table(
    "document",
    metadata,
    part("study_key"),
    Column("document_uid", String(64), primary_key=True),
    ref("custodian_id", "organisation.id"),
    ref("authority_id", "assigning_authority.id", nullable=True),
    Column("mrn", String(64), nullable=False, default=""),
    text("accession_number"),
    ref("accession_issuer_id", "assigning_authority.id", nullable=True),
    text("study_instance_uid"),
    text("media_type"),
    text("charset"),
    text("title"),
    text("report_status"),
    text("replaces"),
    Column("sha256", LargeBinary(32), nullable=False),
    time("received_at"),
    Index(None, "accession_number"),
)
"""A report beside its series; its octets are an instance of the study's documents series."""

place = Table(
    "place",
    metadata,
    key("id"),
    Column("kind", String(12), nullable=False),
    Column("name", String(64), nullable=False),
    UniqueConstraint("kind", "name"),
)
"""Where copies can be: ``node``, ``centre``, ``vendor_pacs``, ``export``."""

copy = Table(
    "copy",
    metadata,
    part("study_key"),
    part("series_no"),
    part("pack_no"),
    Column("place_id", KEY, ForeignKey("place.id"), primary_key=True),
    Column("state", String(12), nullable=False),
    time("at"),
    time("verified_at", nullable=True),
)

delivery = Table(
    "delivery",
    metadata,
    key("id"),
    time("at"),
    ref("organisation_id", "organisation.id", nullable=True),
    Column("destination", String(64), nullable=False),
    Column("means", String(12), nullable=False),
    ref("custodian_id", "organisation.id"),
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
    part("study_key"),
    Column("reason", String(32), primary_key=True),
    Column("wanted_by", String(64), primary_key=True),
    time("until", nullable=True),
)

held = Table(
    "held",
    metadata,
    key("id"),
    time("at"),
    Column("reason", String(32), nullable=False),
    text("sentence"),
    text("calling_ae"),
    text("called_ae"),
    text("command_sop_class_uid"),
    text("command_sop_instance_uid"),
    text("transfer_syntax"),
    Column("sha256", LargeBinary(32), nullable=False),
    Column("size", BigInteger, nullable=False),
    time("resolved_at", nullable=True),
    UniqueConstraint(
        "sha256",
        "reason",
        "calling_ae",
        "command_sop_class_uid",
        "command_sop_instance_uid",
        name="uq_held_arrival",
    ),
)
"""Objects kept but not indexed: octets in the blob store under ``held``, the reason here.

The same octets from another sender, or under other UIDs of the command, are a row of their own.
"""

data_quality = Table(
    "data_quality",
    metadata,
    key("id"),
    time("at"),
    ref("organisation_id", "organisation.id", nullable=True),
    Column("code", String(32), nullable=False),
    text("sentence"),
    text("subject"),
    time("resolved_at", nullable=True),
    Index(None, "subject"),
)
"""What a person must look at. ``subject`` is a key (message id, study), never a patient."""

journal = Table(
    "journal",
    metadata,
    Column("kind", String(16), primary_key=True),
    part("organisation_id"),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    time("at"),
    text("subject"),
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
