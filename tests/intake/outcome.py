"""What an archive holds in the end, for comparing one way there with another."""

from archive.store.blobs import held_name, pack_name
from archive.store.manifest import Manifest
from archive.store.pack import verify_pack
from tests.intake.house import Cold

Outcome = dict[str, object]


def outcome(cold: Cold) -> Outcome:
    """Return everything that must not depend on how the records were taken in."""
    return {
        "answers": cold.answers(),
        "sealed": sealed(cold),
        "loose": cold.number("instance"),
        "studies": sorted(
            (str(row["study_instance_uid"]), str(row["state"])) for row in cold.rows("study")
        ),
        "held": sorted((str(row["reason"]), row["sha256"]) for row in cold.rows("held")),
        "documents": sorted(str(row["document_uid"]) for row in cold.rows("document")),
        "states": sorted(
            (str(row["sop_instance_uid"]), str(row["state"]), str(row["code"]))
            for row in cold.rows("instance_state")
        ),
        "sightings": sorted(str(row["answer"]) for row in cold.rows("sighting")),
        "segments": cold.reader.ready(),
    }


def sealed(cold: Cold) -> list[tuple[str, str, bytes, bool]]:
    """Return every member of every pack, each time it is there."""
    return sorted(
        (member.sop_instance_uid, member.transfer_syntax, member.sha256, bool(row["withheld"]))
        for row in cold.rows("pack")
        for member in Manifest.unpacked(row["manifest"]).members  # type: ignore[arg-type]
    )


def check_octets(cold: Cold) -> None:
    """Read every octet that a row promises, and find no staged file left."""
    for row in cold.rows("pack"):
        path = cold.directory / "blobs" / pack_name(row["encoding_id"])  # type: ignore[arg-type]
        assert verify_pack(path).content_id == row["content_id"]
    for row in cold.rows("held"):
        assert cold.blobs.size(held_name(row["sha256"])) == row["size"]  # type: ignore[arg-type]
