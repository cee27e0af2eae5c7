"""The compact form that index rows keep: digests as they are, the rest as columns, deflated.

| at | octets | what                                                                        |
| -- | ------ | --------------------------------------------------------------------------- |
| 0  | 1      | version, 1                                                                  |
| 1  | 4      | n: how many digests, little endian                                          |
| 5  | 32 n   | SHA-256 digests (no compressor makes them smaller)                          |
|    |        | zlib stream (RFC 1950) of canonical JSON, one array for each column         |

It is a form of rows only: identities are taken from canonical JSON, never from this.
"""

import struct
import zlib
from collections.abc import Sequence

from archive.errors import PackMalformed
from archive.store.canonical import decode, encode

_VERSION = 1
_HEAD = struct.Struct("<BI")
_DIGEST = 32
_COLUMNS_LIMIT = 256 * 1024 * 1024
"""Octets of columns that are unpacked at most."""


def pack_columns(digests: Sequence[bytes], columns: object) -> bytes:
    """Return the packed form."""
    head = _HEAD.pack(_VERSION, len(digests))
    return head + b"".join(digests) + zlib.compress(encode(columns), level=9)


def unpack_columns(octets: bytes) -> tuple[list[bytes], object]:
    """Return digests and columns.

    Raises:
        PackMalformed: not the packed form.
    """
    if len(octets) < _HEAD.size:
        raise PackMalformed("The packed row is torn.")
    version, count = _HEAD.unpack_from(octets)
    start = _HEAD.size + count * _DIGEST
    if version != _VERSION or start > len(octets):
        raise PackMalformed("The packed row is torn or of an unknown version.", version=version)
    digests = [octets[at : at + _DIGEST] for at in range(_HEAD.size, start, _DIGEST)]
    return digests, decode(_inflated(octets[start:]))


def _inflated(octets: bytes) -> bytes:
    stream = zlib.decompressobj()
    try:
        columns = stream.decompress(octets, _COLUMNS_LIMIT)
    except zlib.error as error:
        raise PackMalformed("The packed row does not inflate.") from error
    if not stream.eof or stream.unused_data:
        raise PackMalformed("The packed row is torn, or has something behind it.")
    return columns
