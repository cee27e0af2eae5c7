"""The two blob stores: a directory, and a bucket of a real S3 server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from archive.store.blobs import BlobStore
from archive.store.local_blobs import LocalBlobs
from tests.contracts.blobs.seaweed import Seaweed, seaweed, why_not


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    if why_not():
        pytest.skip(f"S3Blobs: {why_not()}")
    with seaweed(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(params=["LocalBlobs", "S3Blobs"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "LocalBlobs":
        return LocalBlobs(tmp_path / "blobs")
    server: Seaweed = request.getfixturevalue("s3_server")
    return server.emptied()
