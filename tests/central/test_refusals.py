"""Whoever is refused at the centre's DICOM door is noted, and refused when nothing can be noted."""

from pathlib import Path

from structlog.testing import capture_logs

from archive.clock import SystemClock
from archive.index import tables
from archive.index.engine import Index
from archive.opening import Archive
from archive.reader import Octets, Reader
from archive.store.local_blobs import LocalBlobs
from archive.store.spool import SpoolReader
from central_store.serve import note_refused


def archive(directory: Path, *, migrated: bool) -> Archive:
    index = Index(f"sqlite:///{directory / 'index.sqlite'}", clock=SystemClock())
    if migrated:
        index.migrate()
    spool, blobs = SpoolReader(directory / "spool"), LocalBlobs(directory / "blobs")
    reader = Reader(index, Octets(spool, blobs), system="CENTRE", clock=SystemClock())
    return Archive(index, spool, blobs, reader)


def test_a_stranger_is_shown_to_people_once_a_day(tmp_path: Path) -> None:
    opened = archive(tmp_path, migrated=True)
    note_refused(opened, "STRANGER")
    note_refused(opened, "STRANGER")
    with opened.index.reading() as conn:
        (row,) = conn.execute(tables.data_quality.select()).all()
    assert (row.code, row.subject.split()[0]) == ("UNKNOWN_CALLING_AE", "STRANGER")


def test_a_refusal_is_sent_when_the_database_is_away_and_the_log_has_it(tmp_path: Path) -> None:
    opened = archive(tmp_path, migrated=False)
    with capture_logs() as lines:
        note_refused(opened, "STRANGER")
    (line,) = lines
    assert (line["event"], line["calling"]) == ("refusal.unnoted", "STRANGER")
    assert line["error"] == "DatabaseUnavailable"
