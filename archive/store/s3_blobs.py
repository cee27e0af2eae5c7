"""Blobs in an S3 bucket, through obstore, which is imported when a store is built."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from archive.errors import NotFound, StorageFailed
from archive.store.blobs import CHUNK, check_name

_WINDOW = 8 * CHUNK
"""Octets of one ranged request: a slow reader never holds a response open past its timeout."""

_PART = 8 * CHUNK
_PARTS_AT_ONCE = 2
"""A multipart upload keeps at most so many parts in memory."""

_RETRIES = 3
_TIMEOUT = timedelta(seconds=60)
"""For one request, that is one window or one part."""


class S3Blobs:
    """A :class:`archive.store.blobs.BlobStore` in one bucket, which must exist.

    An object appears whole: a large one is one multipart upload, completed at its end.
    """

    def __init__(
        self,
        *,
        endpoint: str,
        bucket: str,
        access_key_id: str,
        secret_access_key: str,
        region: str = "us-east-1",
    ) -> None:
        from obstore.store import S3Store

        self._store = S3Store(
            bucket,
            endpoint=endpoint,
            access_key_id=access_key_id,
            secret_access_key=secret_access_key,
            region=region,
            virtual_hosted_style_request=False,
            client_options={"allow_http": endpoint.startswith("http://"), "timeout": _TIMEOUT},
            retry_config={"max_retries": _RETRIES, "retry_timeout": _TIMEOUT},
        )

    def put(self, name: str, source: Path) -> None:
        """Upload the file under the name; the store answers when it is durable there."""
        import obstore

        if self._held_size(name) == source.stat().st_size:
            return
        with _translated(name):
            obstore.put(self._store, name, source, chunk_size=_PART, max_concurrency=_PARTS_AT_ONCE)

    def size(self, name: str) -> int:
        """Return the octets of an object."""
        import obstore

        with _translated(check_name(name)):
            return obstore.head(self._store, name)["size"]

    def read(self, name: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Return octets in chunks of at most 1 MiB."""
        size = self.size(name)
        end = size if length is None else offset + length
        if not 0 <= offset <= end <= size:
            raise NotFound("The range is not inside the object.", name=name, size=size)
        return self._chunks(name, offset, end)

    def delete(self, name: str) -> None:
        """Remove an object."""
        import obstore

        with _translated(check_name(name)):
            obstore.delete(self._store, name)

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the names in a folder and below."""
        import obstore

        folder = check_name(prefix) if prefix else None
        with _translated(prefix):
            for page in obstore.list(self._store, prefix=folder):
                yield from (meta["path"] for meta in page)

    def _held_size(self, name: str) -> int | None:
        try:
            return self.size(name)
        except NotFound:
            check_name(name)
            return None

    def _chunks(self, name: str, at: int, end: int) -> Iterator[bytes]:
        while at < end:
            window = self._window(name, at, min(_WINDOW, end - at))
            for start in range(0, len(window), CHUNK):
                yield bytes(window[start : start + CHUNK])
            at += len(window)

    def _window(self, name: str, at: int, length: int) -> memoryview:
        import obstore

        with _translated(name):
            window = memoryview(obstore.get_range(self._store, name, start=at, length=length))
        if len(window) != length:
            raise StorageFailed("The object has become shorter.", name=name)
        return window


@contextmanager
def _translated(name: str) -> Iterator[None]:
    from obstore.exceptions import BaseError

    try:
        yield
    except FileNotFoundError as error:
        raise NotFound("No such object.", name=name) from error
    except (BaseError, OSError) as error:
        raise StorageFailed("The object store refused.", name=name) from error
