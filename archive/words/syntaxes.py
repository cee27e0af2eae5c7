"""Transfer syntaxes: which keep pixels exactly, and which an acceptor takes first."""

from collections.abc import Sequence

from archive.words.uids import Uid

IMPLICIT_VR_LITTLE_ENDIAN = Uid("1.2.840.10008.1.2")
EXPLICIT_VR_LITTLE_ENDIAN = Uid("1.2.840.10008.1.2.1")
EXPLICIT_VR_BIG_ENDIAN = Uid("1.2.840.10008.1.2.2")
DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN = Uid("1.2.840.10008.1.2.1.99")

NATIVE = frozenset(
    {
        IMPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_BIG_ENDIAN,
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    }
)
"""Syntaxes whose Pixel Data is not encapsulated (PS3.5 Section A)."""

LOSSLESS_COMPRESSED = frozenset(
    Uid(uid)
    for uid in (
        "1.2.840.10008.1.2.4.57",
        "1.2.840.10008.1.2.4.70",
        "1.2.840.10008.1.2.4.80",
        "1.2.840.10008.1.2.4.90",
        "1.2.840.10008.1.2.4.92",
        "1.2.840.10008.1.2.4.110",
        "1.2.840.10008.1.2.4.201",
        "1.2.840.10008.1.2.4.202",
        "1.2.840.10008.1.2.5",
    )
)
"""Encapsulated syntaxes from which every pixel comes back exactly (PS3.5 Annex A.4)."""


_NATIVE_FIRST_TO_LAST = (
    EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)


def preferred(proposed: Sequence[str]) -> str:
    """Return the syntax to accept out of those proposed in one presentation context.

    A lossless compressed one first, in the order proposed; then native ones, Explicit VR before
    Implicit, since Explicit VR keeps what private elements are; a lossy one only where nothing
    else is proposed, so that no sender is led to compress with loss.

    ``proposed`` must not be empty (PS3.8 Section 9.3.2.2).
    """
    lossless = [uid for uid in proposed if uid in LOSSLESS_COMPRESSED]
    native = [uid for uid in _NATIVE_FIRST_TO_LAST if uid in proposed]
    return (lossless + native + list(proposed))[0]
