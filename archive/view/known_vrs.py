"""Which VR a coded element has where its head does not say, or says UN (PS3.5 Section 6.2.2).

As pydicom tells it: by its data dictionary, and for private elements by its dictionary of private
creators.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

from archive.view.json_values import Declined

LUT_DESCRIPTORS = frozenset((0x00281101, 0x00281102, 0x00281103, 0x00283002))
"""Their first value is US even where they are SS (PS3.3 Section C.11.1.1.1)."""
_UNSIGNED_OR_SIGNED = LUT_DESCRIPTORS | {
    *(0x00280104, 0x00280105, 0x00280106, 0x00280107, 0x00280108, 0x00280109, 0x00280110),
    *(0x00280111, 0x00280120, 0x00280121, 0x00409211, 0x00409216),
}
"""US or SS, as Pixel Representation says (PS3.5 Section A.1)."""
_WORDS = frozenset(
    (
        *(group << 16 | 0x3000 for group in range(0x6000, 0x601F, 2)),
        *(0x7FE00010, 0x54000110, 0x54000112, 0x5400100A, 0x54001010),
    )
)
"""OB or OW: overlays, icons and waveforms, in Implicit VR always OW (PS3.5 Section A.1)."""
_UN_LIMIT = 0xFFFF
"""A longer value may rightly be UN, since a short form cannot have it (PS3.5 Section 6.2.2)."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the JSON of an element depends on, besides its own octets."""

    explicit: bool
    character_set: bytes
    """Value of (0008,0005)."""
    signed: bool | None
    """Pixel Representation; None where the Data Set has none."""
    creators: tuple[tuple[int, str | None], ...]
    """Private creator elements and the names in them; None where a name is odd."""
    depth: int = 0
    """0 for the Data Set itself, 1 for items of its sequences, and so on."""

    def inside(self) -> "Surroundings":
        """Return the surroundings of elements in an item, which has its own private creators."""
        return replace(self, creators=(), depth=self.depth + 1)

    def with_creator(self, tag: int, name: str | None) -> "Surroundings":
        """Return them with one private creator more."""
        return replace(self, creators=(*self.creators, (tag, name)))


def is_private_creator(tag: int) -> bool:
    """Tell whether an element reserves a private block (PS3.5 Section 7.8.1)."""
    return bool(tag & 0x00010000) and 0x10 <= tag & 0xFFFF < 0x100  # noqa: PLR2004 - as there


def vr_of(tag: int, vr: bytes, length: int, of: Surroundings) -> str:
    """Return the VR of an element of defined length.

    Raises:
        Declined: it is one of several, and which is not sure.
    """
    if vr and vr != b"UN":
        if tag in LUT_DESCRIPTORS and vr not in (b"US", b"SS"):
            raise Declined
        return vr.decode("ascii")
    if tag & 0x00010000:
        found = _private(tag, of)
    elif vr and length >= _UN_LIMIT:
        return "UN"
    else:
        found = dictionary_vr(tag) or ("UN" if vr or tag & 0xFFFF else "UL")
    return _settled(tag, found, of) if " " in found or "_" in found or vr else found


def _private(tag: int, of: Surroundings) -> str:
    if is_private_creator(tag):
        return "LO"
    block = tag & 0xFFFF0000 | (tag & 0xFF00) >> 8
    name = dict(of.creators).get(block, "") if tag & 0xFF00 else ""
    if name is None:
        raise Declined
    return private_vr(tag, name)


def _settled(tag: int, found: str, of: Surroundings) -> str:
    if of.explicit:
        if found == "SQ" or " " in found or "_" in found or tag in LUT_DESCRIPTORS:
            raise Declined
        return found
    if tag in _WORDS:
        return "OW"
    # Within items pydicom does not always know what the Data Set says: only 0 is sure there.
    unsure = of.signed and (of.depth or tag in LUT_DESCRIPTORS)
    if tag in _UNSIGNED_OR_SIGNED and of.signed is not None and not unsure:
        return "SS" if of.signed else "US"
    raise Declined


@lru_cache(maxsize=4096)
def dictionary_vr(tag: int) -> str:
    """Return the VR of a tag by the data dictionary (PS3.6), maybe "US or SS"; empty if unknown."""
    from pydicom.datadict import dictionary_VR

    try:
        return dictionary_VR(tag)
    except KeyError:
        return ""


@lru_cache(maxsize=4096)
def private_vr(tag: int, creator: str) -> str:
    """Return the VR of a private tag by the private dictionary; UN if it is unknown."""
    from pydicom.datadict import private_dictionary_VR

    try:
        return private_dictionary_VR(tag, creator) if creator else "UN"
    except KeyError:
        return "UN"
