"""The ledger of work, and what the centre asks of nodes."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from archive.index.tables.columns import key, metadata, part, ref, text, time

job = Table(
    "job",
    metadata,
    key("id"),
    Column("kind", String(32), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("destination", String(64), nullable=False),
    Column("class", String(12), nullable=False),
    Column("weight", Integer, nullable=False, default=0),
    Column("state", String(12), nullable=False),
    Column("idempotency_key", String(200), nullable=False, unique=True),
    text("wanted_by"),
    text("payload"),
    time("created_at"),
    time("not_before"),
    time("deadline", nullable=True),
    Column("attempt", Integer, nullable=False, default=0),
    Column("spoilt", Integer, nullable=False, default=0, server_default="0"),
    text("lease_owner"),
    time("lease_until", nullable=True),
    Column("token", BigInteger, nullable=False, default=0),
    text("cause"),
    time("finished_at", nullable=True),
    Index(None, "state", "class", "weight", "deadline", "id"),
    Index(None, "subject"),
)

job_event = Table(
    "job_event",
    metadata,
    part("job_id"),
    part("seq"),
    time("at"),
    Column("state", String(12), nullable=False),
    text("evidence"),
)

job_heartbeat = Table(
    "job_heartbeat",
    metadata,
    part("job_id"),
    time("at"),
    text("progress"),
)

arrival = Table(
    "arrival",
    metadata,
    key("id"),
    ref("node_id", "node.id"),
    ref("authority_id", "assigning_authority.id"),
    Column("mrn", String(64), nullable=False),
    Column("event", String(8), nullable=False),
    Column("message_key", String(200), nullable=False),
    time("at"),
    time("deadline"),
    time("closed_at", nullable=True),
    UniqueConstraint("node_id", "message_key"),
    Index(None, "authority_id", "mrn"),
)
"""A patient turned up at a trust; open while the trust may still need priors."""

node_order = Table(
    "node_order",
    metadata,
    key("id"),
    ref("node_id", "node.id"),
    Column("kind", String(16), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("class", String(12), nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(12), nullable=False),
    ref("arrival_id", "arrival.id", nullable=True),
    time("deadline", nullable=True),
    time("offered_at"),
    time("acknowledged_at", nullable=True),
    time("finished_at", nullable=True),
    text("outcome"),
    Column("idempotency_key", String(200), nullable=False),
    UniqueConstraint("node_id", "idempotency_key"),
    Index(None, "node_id", "state"),
)
"""What the centre asks of a node: offered until the node acknowledges its id."""
