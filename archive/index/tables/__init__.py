"""One schema for both tiers.

Times are whole milliseconds since 1970, UTC. Digests are the 32 bytes of a SHA-256. Children of a
study begin their key with ``study_key``; ``sop`` is keyed by a keyed hash of the SOP Instance UID.
"""

from archive.index.tables.columns import metadata
from archive.index.tables.objects import instance, pack, series, sop, study
from archive.index.tables.people import (
    accession_alias,
    assigning_authority,
    identity_link,
    local_patient,
    node,
    organisation,
    setting,
    site,
    source,
)
from archive.index.tables.records import (
    commitment,
    copy,
    data_quality,
    delivery,
    document,
    held,
    instance_state,
    journal,
    pin,
    place,
    segment_progress,
    sighting,
    tally,
)
from archive.index.tables.work import arrival, job, job_event, job_heartbeat, node_order

__all__ = [
    "accession_alias",
    "arrival",
    "assigning_authority",
    "commitment",
    "copy",
    "data_quality",
    "delivery",
    "document",
    "held",
    "identity_link",
    "instance",
    "instance_state",
    "job",
    "job_event",
    "job_heartbeat",
    "journal",
    "local_patient",
    "metadata",
    "node",
    "node_order",
    "organisation",
    "pack",
    "pin",
    "place",
    "segment_progress",
    "series",
    "setting",
    "sighting",
    "site",
    "sop",
    "source",
    "study",
    "tally",
]
