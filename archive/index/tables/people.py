"""Who is who: organisations, their authorities, nodes, patients."""

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
)

from archive.index.tables.columns import key, metadata, ref, text, time

setting = Table(
    "setting",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

organisation = Table(
    "organisation",
    metadata,
    key("id"),
    Column("ods_code", String(16), nullable=False, unique=True),
    text("name"),
    time("valid_from", nullable=True),
    time("valid_to", nullable=True),
    ref("successor_id", "organisation.id", nullable=True),
)
"""A trust by its ODS code. The empty code is the nation, which issues NHS numbers."""

site = Table(
    "site",
    metadata,
    key("id"),
    ref("organisation_id", "organisation.id"),
    Column("code", String(32), nullable=False),
    text("name"),
    UniqueConstraint("organisation_id", "code"),
)

assigning_authority = Table(
    "assigning_authority",
    metadata,
    key("id"),
    ref("organisation_id", "organisation.id"),
    Column("namespace", String(64), nullable=False),
    text("oid"),
    Column("kind", String(8), nullable=False),
    UniqueConstraint("organisation_id", "namespace"),
)

node = Table(
    "node",
    metadata,
    key("id"),
    Column("name", String(64), nullable=False, unique=True),
    ref("organisation_id", "organisation.id"),
    text("ae_title"),
    time("last_heard_at", nullable=True),
)

source = Table(
    "source",
    metadata,
    key("id"),
    ref("node_id", "node.id"),
    Column("kind", String(8), nullable=False),
    Column("name", String(64), nullable=False),
    ref("organisation_id", "organisation.id"),
    ref("site_id", "site.id", nullable=True),
    ref("authority_id", "assigning_authority.id", nullable=True),
    UniqueConstraint("node_id", "kind", "name"),
)
"""(node, calling AE or HL7 feed) to organisation, site and default authority; ``*`` is any."""

local_patient = Table(
    "local_patient",
    metadata,
    key("id"),
    ref("authority_id", "assigning_authority.id"),
    Column("mrn", String(64), nullable=False),
    text("name"),
    text("name_match"),
    text("birth_date"),
    text("sex"),
    text("postcode"),
    text("nhs_number"),
    text("nhs_status"),
    Column("active", Boolean, nullable=False, default=True),
    ref("surviving_id", "local_patient.id", nullable=True),
    time("updated_at"),
    UniqueConstraint("authority_id", "mrn"),
    Index(None, "nhs_number"),
    Index(None, "name_match"),
)
"""One patient of one assigning authority, as that authority's PAS tells."""

identity_link = Table(
    "identity_link",
    metadata,
    key("id"),
    ref("patient_a", "local_patient.id"),
    ref("patient_b", "local_patient.id"),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    text("rule"),
    text("evidence"),
    text("actor"),
    time("at"),
    UniqueConstraint("patient_a", "patient_b"),
    Index(None, "patient_b"),
)
"""An edge between two local patients, ``patient_a`` < ``patient_b``. A person is a component."""

accession_alias = Table(
    "accession_alias",
    metadata,
    Column("alias", String(16), primary_key=True),
    ref("custodian_id", "organisation.id"),
    ref("issuer_id", "assigning_authority.id", nullable=True),
    Column("accession_number", String(64), nullable=False),
    Index(None, "custodian_id", "accession_number"),
)
"""What another trust sees for an accession number, for good and in both directions."""
