"""An archive opened from its settings: what every process of a tier that reads rows shares."""

from dataclasses import dataclass

from archive.clock import Clock
from archive.config import ArchiveSettings
from archive.index.engine import Index
from archive.reader import Octets, Reader
from archive.store.blobs import BlobStore
from archive.store.local_blobs import LocalBlobs
from archive.store.spool import SpoolReader


@dataclass(frozen=True, slots=True)
class Archive:
    """One tier's rows and octets, opened."""

    index: Index
    spool: SpoolReader
    blobs: BlobStore
    reader: Reader


def open_archive(settings: ArchiveSettings, *, system: str, clock: Clock) -> Archive:
    """Open an archive and bring its schema to what this version needs.

    ``system`` is the name that stamped objects carry.

    Raises:
        DatabaseUnavailable: the database did not answer.
    """
    settings.directory.mkdir(parents=True, exist_ok=True)
    settings.staging_directory.mkdir(exist_ok=True)
    index = Index(settings.database_url, clock=clock)
    index.migrate()
    spool = SpoolReader(settings.spool_directory)
    blobs = LocalBlobs(settings.blob_directory)
    reader = Reader(index, Octets(spool, blobs), system=system, clock=clock)
    return Archive(index=index, spool=spool, blobs=blobs, reader=reader)
