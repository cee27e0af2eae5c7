"""What only the store behind a network must promise."""

from pathlib import Path

import pytest

from archive.errors import StorageFailed
from archive.store.s3_blobs import S3Blobs
from tests.contracts.blobs.seaweed import KEY, Seaweed
from tests.peers.processes import free_port


def blobs_at(endpoint: str, secret: str) -> S3Blobs:
    return S3Blobs(endpoint=endpoint, bucket="bucket", access_key_id=KEY, secret_access_key=secret)


def test_a_wrong_secret_is_a_failure_and_not_an_absent_object(
    s3_server: Seaweed, tmp_path: Path
) -> None:
    (tmp_path / "source").write_bytes(b"abc")
    blobs = blobs_at(s3_server.endpoint, "wrong")
    with pytest.raises(StorageFailed):
        blobs.put("x", tmp_path / "source")
    with pytest.raises(StorageFailed):
        blobs.read("x")


def test_a_server_that_is_away_is_a_failure_and_not_an_absent_object() -> None:
    pytest.importorskip("obstore", reason="S3Blobs: obstore is not installed")
    with pytest.raises(StorageFailed):
        blobs_at(f"http://127.0.0.1:{free_port()}", "any").size("x")
