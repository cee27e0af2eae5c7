"""What is stored, named by content: a digest never stands without its transfer syntax."""

import re
from dataclasses import dataclass

from archive.errors import MalformedMessage
from archive.states import InstanceState

_HEX_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ObjectDigest:
    """SHA-256 over Data Set octets exactly as received, in one transfer syntax.

    For a document the media type stands where the transfer syntax does.
    """

    transfer_syntax: str
    sha256: bytes

    @property
    def hex(self) -> str:
        """The 64 lower-case hexadecimal digits of the digest."""
        return self.sha256.hex()


@dataclass(frozen=True, slots=True)
class Entry:
    """One member of the set that two tiers compare: the truth between them."""

    sop_instance_uid: str
    digest: ObjectDigest
    state: InstanceState = InstanceState.VISIBLE


def parse_sha256(text: str) -> bytes:
    """Return the 32 bytes of 64 lower-case hexadecimal digits.

    Raises:
        MalformedMessage: anything else.
    """
    if not _HEX_DIGEST.fullmatch(text):
        raise MalformedMessage("A SHA-256 is 64 lower-case hexadecimal digits.", text=text[:80])
    return bytes.fromhex(text)
