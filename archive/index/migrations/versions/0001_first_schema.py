"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.create_table(
        "held",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("sentence", sa.Text(), server_default="", nullable=False),
        sa.Column("calling_ae", sa.Text(), server_default="", nullable=False),
        sa.Column("called_ae", sa.Text(), server_default="", nullable=False),
        sa.Column("command_sop_class_uid", sa.Text(), server_default="", nullable=False),
        sa.Column("command_sop_instance_uid", sa.Text(), server_default="", nullable=False),
        sa.Column("transfer_syntax", sa.Text(), server_default="", nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("resolved_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_held")),
        sa.UniqueConstraint(
            "sha256",
            "reason",
            "calling_ae",
            "command_sop_class_uid",
            "command_sop_instance_uid",
            name=op.f("uq_held_arrival"),
        ),
    )
    op.create_table(
        "instance_state",
        sa.Column(
            "custodian_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("numbered_by", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("serves", sa.Boolean(), nullable=False),
        sa.Column("code", sa.Text(), server_default="", nullable=False),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "custodian_id",
            "sop_instance_uid",
            "sha256",
            "numbered_by",
            name=op.f("pk_instance_state"),
        ),
    )
    op.create_index(
        op.f("ix_instance_state_custodian_id_numbered_by_seq"),
        "instance_state",
        ["custodian_id", "numbered_by", "seq"],
        unique=False,
    )
    op.create_table(
        "job",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("destination", sa.String(length=64), nullable=False),
        sa.Column("class", sa.String(length=12), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("idempotency_key", sa.String(length=200), nullable=False),
        sa.Column("wanted_by", sa.Text(), server_default="", nullable=False),
        sa.Column("payload", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("deadline", sa.BigInteger(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("spoilt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease_owner", sa.Text(), server_default="", nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.Text(), server_default="", nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_job_idempotency_key")),
    )
    op.create_index(
        op.f("ix_job_state_class_weight_deadline_id"),
        "job",
        ["state", "class", "weight", "deadline", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_job_subject"), "job", ["subject"], unique=False)
    op.create_table(
        "job_event",
        sa.Column(
            "job_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("evidence", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("job_id", "seq", name=op.f("pk_job_event")),
    )
    op.create_table(
        "job_heartbeat",
        sa.Column(
            "job_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("progress", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_job_heartbeat")),
    )
    op.create_table(
        "journal",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column(
            "organisation_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("chain", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("kind", "organisation_id", "seq", name=op.f("pk_journal")),
    )
    op.create_index(op.f("ix_journal_subject"), "journal", ["subject"], unique=False)
    op.create_table(
        "organisation",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("ods_code", sa.String(length=16), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=True),
        sa.Column("valid_to", sa.BigInteger(), nullable=True),
        sa.Column(
            "successor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.ForeignKeyConstraint(
            ["successor_id"], ["organisation.id"], name=op.f("fk_organisation_successor_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisation")),
        sa.UniqueConstraint("ods_code", name=op.f("uq_organisation_ods_code")),
    )
    op.create_table(
        "pack",
        sa.Column(
            "study_key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column(
            "series_no",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column(
            "pack_no",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("content_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("encoding_id", sa.LargeBinary(length=32), nullable=True),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.Column("octets", sa.BigInteger(), nullable=False),
        sa.Column("manifest", sa.LargeBinary(), nullable=False),
        sa.Column("layout", sa.LargeBinary(), nullable=True),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("withheld", sa.Boolean(), nullable=False),
        sa.Column("registered_day", sa.String(length=10), nullable=False),
        sa.Column("sealed_at", sa.BigInteger(), nullable=False),
        sa.Column("held_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("study_key", "series_no", "pack_no", name=op.f("pk_pack")),
    )
    op.create_index(op.f("ix_pack_content_id"), "pack", ["content_id"], unique=False)
    op.create_index(op.f("ix_pack_encoding_id"), "pack", ["encoding_id"], unique=False)
    op.create_table(
        "pin",
        sa.Column(
            "study_key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("wanted_by", sa.String(length=64), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("study_key", "reason", "wanted_by", name=op.f("pk_pin")),
    )
    op.create_table(
        "place",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_place")),
        sa.UniqueConstraint("kind", "name", name=op.f("uq_place_kind_name")),
    )
    op.create_table(
        "segment_progress",
        sa.Column("segment", sa.String(length=64), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("to_compare", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("segment", name=op.f("pk_segment_progress")),
    )
    op.create_table(
        "setting",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_setting")),
    )
    op.create_table(
        "sop",
        sa.Column("hash", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "custodian_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column(
            "study_key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column(
            "series_no",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column(
            "pack_no",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.PrimaryKeyConstraint(
            "hash", "custodian_id", "study_key", "series_no", "pack_no", name=op.f("pk_sop")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tally",
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=48), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "name", name=op.f("pk_tally")),
    )
    op.create_table(
        "assigning_authority",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("namespace", sa.String(length=64), nullable=False),
        sa.Column("oid", sa.Text(), server_default="", nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
            name=op.f("fk_assigning_authority_organisation_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assigning_authority")),
        sa.UniqueConstraint(
            "organisation_id",
            "namespace",
            name=op.f("uq_assigning_authority_organisation_id_namespace"),
        ),
    )
    op.create_table(
        "copy",
        sa.Column(
            "study_key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column(
            "series_no",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column(
            "pack_no",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("place_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("verified_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["place_id"], ["place.id"], name=op.f("fk_copy_place_id")),
        sa.PrimaryKeyConstraint(
            "study_key", "series_no", "pack_no", "place_id", name=op.f("pk_copy")
        ),
    )
    op.create_table(
        "data_quality",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column(
            "organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("sentence", sa.Text(), server_default="", nullable=False),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("resolved_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_data_quality_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_quality")),
    )
    op.create_index(op.f("ix_data_quality_subject"), "data_quality", ["subject"], unique=False)
    op.create_table(
        "delivery",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column(
            "organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("destination", sa.String(length=64), nullable=False),
        sa.Column("means", sa.String(length=12), nullable=False),
        sa.Column(
            "custodian_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("stamped", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["custodian_id"], ["organisation.id"], name=op.f("fk_delivery_custodian_id")
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_delivery_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
    )
    op.create_index(
        op.f("ix_delivery_sop_instance_uid_organisation_id"),
        "delivery",
        ["sop_instance_uid", "organisation_id"],
        unique=False,
    )
    op.create_table(
        "node",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column(
            "organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("ae_title", sa.Text(), server_default="", nullable=False),
        sa.Column("last_heard_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_node_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_node")),
        sa.UniqueConstraint("name", name=op.f("uq_node_name")),
    )
    op.create_table(
        "commitment",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("calling_ae", sa.String(length=64), nullable=False),
        sa.Column("transaction_uid", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(length=32), nullable=False),
        sa.Column(
            "custodian_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("awaits", sa.Text(), server_default="", nullable=False),
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.Column("judged_at", sa.BigInteger(), nullable=True),
        sa.Column("reported_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["custodian_id"], ["organisation.id"], name=op.f("fk_commitment_custodian_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commitment")),
        sa.UniqueConstraint(
            "calling_ae",
            "transaction_uid",
            "content",
            name=op.f("uq_commitment_calling_ae_transaction_uid_content"),
        ),
    )
    op.create_index(op.f("ix_commitment_state"), "commitment", ["state"], unique=False)
    op.create_table(
        "sighting",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "custodian_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("transfer_syntax", sa.String(length=64), nullable=False),
        sa.Column("answer", sa.String(length=16), nullable=False),
        sa.Column("of_sha256", sa.LargeBinary(length=32), nullable=True),
        sa.Column("differences", sa.Text(), server_default="", nullable=False),
        sa.Column("calling_ae", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["custodian_id"], ["organisation.id"], name=op.f("fk_sighting_custodian_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sighting")),
    )
    op.create_index(
        op.f("ix_sighting_sop_instance_uid"), "sighting", ["sop_instance_uid"], unique=False
    )
    op.create_table(
        "site",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_site_organisation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site")),
        sa.UniqueConstraint("organisation_id", "code", name=op.f("uq_site_organisation_id_code")),
    )
    op.create_table(
        "accession_alias",
        sa.Column("alias", sa.String(length=16), nullable=False),
        sa.Column(
            "custodian_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("issuer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("accession_number", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["custodian_id"], ["organisation.id"], name=op.f("fk_accession_alias_custodian_id")
        ),
        sa.ForeignKeyConstraint(
            ["issuer_id"], ["assigning_authority.id"], name=op.f("fk_accession_alias_issuer_id")
        ),
        sa.PrimaryKeyConstraint("alias", name=op.f("pk_accession_alias")),
    )
    op.create_index(
        op.f("ix_accession_alias_custodian_id_accession_number"),
        "accession_alias",
        ["custodian_id", "accession_number"],
        unique=False,
    )
    op.create_table(
        "arrival",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("node_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "authority_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("mrn", sa.String(length=64), nullable=False),
        sa.Column("event", sa.String(length=8), nullable=False),
        sa.Column("message_key", sa.String(length=200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("deadline", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["authority_id"], ["assigning_authority.id"], name=op.f("fk_arrival_authority_id")
        ),
        sa.ForeignKeyConstraint(["node_id"], ["node.id"], name=op.f("fk_arrival_node_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_arrival")),
        sa.UniqueConstraint("node_id", "message_key", name=op.f("uq_arrival_node_id_message_key")),
    )
    op.create_index(
        op.f("ix_arrival_authority_id_mrn"), "arrival", ["authority_id", "mrn"], unique=False
    )
    op.create_table(
        "document",
        sa.Column(
            "study_key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("document_uid", sa.String(length=64), nullable=False),
        sa.Column(
            "custodian_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "authority_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("mrn", sa.String(length=64), nullable=False),
        sa.Column("accession_number", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "accession_issuer_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
        ),
        sa.Column("study_instance_uid", sa.Text(), server_default="", nullable=False),
        sa.Column("media_type", sa.Text(), server_default="", nullable=False),
        sa.Column("charset", sa.Text(), server_default="", nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("report_status", sa.Text(), server_default="", nullable=False),
        sa.Column("replaces", sa.Text(), server_default="", nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["accession_issuer_id"],
            ["assigning_authority.id"],
            name=op.f("fk_document_accession_issuer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["authority_id"], ["assigning_authority.id"], name=op.f("fk_document_authority_id")
        ),
        sa.ForeignKeyConstraint(
            ["custodian_id"], ["organisation.id"], name=op.f("fk_document_custodian_id")
        ),
        sa.PrimaryKeyConstraint("study_key", "document_uid", name=op.f("pk_document")),
    )
    op.create_index(
        op.f("ix_document_accession_number"), "document", ["accession_number"], unique=False
    )
    op.create_table(
        "local_patient",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "authority_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("mrn", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("name_match", sa.Text(), server_default="", nullable=False),
        sa.Column("birth_date", sa.Text(), server_default="", nullable=False),
        sa.Column("sex", sa.Text(), server_default="", nullable=False),
        sa.Column("postcode", sa.Text(), server_default="", nullable=False),
        sa.Column("nhs_number", sa.Text(), server_default="", nullable=False),
        sa.Column("nhs_status", sa.Text(), server_default="", nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column(
            "surviving_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["authority_id"], ["assigning_authority.id"], name=op.f("fk_local_patient_authority_id")
        ),
        sa.ForeignKeyConstraint(
            ["surviving_id"], ["local_patient.id"], name=op.f("fk_local_patient_surviving_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_local_patient")),
        sa.UniqueConstraint("authority_id", "mrn", name=op.f("uq_local_patient_authority_id_mrn")),
    )
    op.create_index(
        op.f("ix_local_patient_name_match"), "local_patient", ["name_match"], unique=False
    )
    op.create_index(
        op.f("ix_local_patient_nhs_number"), "local_patient", ["nhs_number"], unique=False
    )
    op.create_table(
        "source",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("node_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column(
            "organisation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("site_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "authority_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.ForeignKeyConstraint(
            ["authority_id"], ["assigning_authority.id"], name=op.f("fk_source_authority_id")
        ),
        sa.ForeignKeyConstraint(["node_id"], ["node.id"], name=op.f("fk_source_node_id")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_source_organisation_id")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_source_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source")),
        sa.UniqueConstraint("node_id", "kind", "name", name=op.f("uq_source_node_id_kind_name")),
    )
    op.create_table(
        "study",
        sa.Column(
            "study_key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "custodian_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column(
            "authority_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("mrn", sa.String(length=64), nullable=False),
        sa.Column("patient_name", sa.Text(), server_default="", nullable=False),
        sa.Column("name_match", sa.Text(), server_default="", nullable=False),
        sa.Column("birth_date", sa.Text(), server_default="", nullable=False),
        sa.Column("sex", sa.Text(), server_default="", nullable=False),
        sa.Column("study_date", sa.Text(), server_default="", nullable=False),
        sa.Column("study_time", sa.Text(), server_default="", nullable=False),
        sa.Column("accession_number", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "accession_issuer_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
        ),
        sa.Column("study_id", sa.Text(), server_default="", nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("referring_physician", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("registered_at", sa.BigInteger(), nullable=False),
        sa.Column("registered_day", sa.String(length=10), nullable=False),
        sa.Column("last_arrival_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["accession_issuer_id"],
            ["assigning_authority.id"],
            name=op.f("fk_study_accession_issuer_id"),
        ),
        sa.ForeignKeyConstraint(
            ["authority_id"], ["assigning_authority.id"], name=op.f("fk_study_authority_id")
        ),
        sa.ForeignKeyConstraint(
            ["custodian_id"], ["organisation.id"], name=op.f("fk_study_custodian_id")
        ),
        sa.PrimaryKeyConstraint("study_key", name=op.f("pk_study")),
        sa.UniqueConstraint(
            "custodian_id",
            "study_instance_uid",
            name=op.f("uq_study_custodian_id_study_instance_uid"),
        ),
    )
    op.create_index(op.f("ix_study_accession_number"), "study", ["accession_number"], unique=False)
    op.create_index(
        op.f("ix_study_authority_id_mrn"), "study", ["authority_id", "mrn"], unique=False
    )
    op.create_index(op.f("ix_study_name_match"), "study", ["name_match"], unique=False)
    op.create_index(op.f("ix_study_study_date"), "study", ["study_date"], unique=False)
    op.create_index(
        op.f("ix_study_study_instance_uid"), "study", ["study_instance_uid"], unique=False
    )
    op.create_table(
        "identity_link",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "patient_a", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "patient_b", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("rule", sa.Text(), server_default="", nullable=False),
        sa.Column("evidence", sa.Text(), server_default="", nullable=False),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["patient_a"], ["local_patient.id"], name=op.f("fk_identity_link_patient_a")
        ),
        sa.ForeignKeyConstraint(
            ["patient_b"], ["local_patient.id"], name=op.f("fk_identity_link_patient_b")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_link")),
        sa.UniqueConstraint(
            "patient_a", "patient_b", name=op.f("uq_identity_link_patient_a_patient_b")
        ),
    )
    op.create_index(
        op.f("ix_identity_link_patient_b"), "identity_link", ["patient_b"], unique=False
    )
    op.create_table(
        "instance",
        sa.Column(
            "study_key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column(
            "series_no",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("transfer_syntax", sa.String(length=64), nullable=False),
        sa.Column("sop_class_uid", sa.String(length=64), nullable=False),
        sa.Column("instance_number", sa.Text(), server_default="", nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("segment", sa.String(length=64), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("data_set_offset", sa.BigInteger(), nullable=False),
        sa.Column("source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("calling_ae", sa.Text(), server_default="", nullable=False),
        sa.Column("called_ae", sa.Text(), server_default="", nullable=False),
        sa.Column("arrived_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name=op.f("fk_instance_source_id")),
        sa.PrimaryKeyConstraint(
            "study_key", "series_no", "sop_instance_uid", "sha256", name=op.f("pk_instance")
        ),
    )
    op.create_index(op.f("ix_instance_segment"), "instance", ["segment"], unique=False)
    op.create_table(
        "node_order",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("node_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("class", sa.String(length=12), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column(
            "arrival_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("deadline", sa.BigInteger(), nullable=True),
        sa.Column("offered_at", sa.BigInteger(), nullable=False),
        sa.Column("acknowledged_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), server_default="", nullable=False),
        sa.Column("idempotency_key", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["arrival_id"], ["arrival.id"], name=op.f("fk_node_order_arrival_id")
        ),
        sa.ForeignKeyConstraint(["node_id"], ["node.id"], name=op.f("fk_node_order_node_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_node_order")),
        sa.UniqueConstraint(
            "node_id", "idempotency_key", name=op.f("uq_node_order_node_id_idempotency_key")
        ),
    )
    op.create_index(
        op.f("ix_node_order_node_id_state"), "node_order", ["node_id", "state"], unique=False
    )
    op.create_table(
        "series",
        sa.Column(
            "study_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "series_no",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("series_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("modality", sa.Text(), server_default="", nullable=False),
        sa.Column("series_number", sa.Text(), server_default="", nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("body_part", sa.Text(), server_default="", nullable=False),
        sa.Column("laterality", sa.Text(), server_default="", nullable=False),
        sa.Column("series_date", sa.Text(), server_default="", nullable=False),
        sa.Column("series_time", sa.Text(), server_default="", nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("sealed_revision", sa.Integer(), nullable=False),
        sa.Column("registered_at", sa.BigInteger(), nullable=False),
        sa.Column("last_arrival_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["study_key"], ["study.study_key"], name=op.f("fk_series_study_key")
        ),
        sa.PrimaryKeyConstraint("study_key", "series_no", name=op.f("pk_series")),
        sa.UniqueConstraint(
            "study_key", "series_instance_uid", name=op.f("uq_series_study_key_series_instance_uid")
        ),
    )
    op.create_index(
        op.f("ix_series_series_instance_uid"), "series", ["series_instance_uid"], unique=False
    )
    _append_only("journal")


def _append_only(table: str) -> None:
    """Let the database itself refuse to change or delete a row of ``table``."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_append_only()"
    )
