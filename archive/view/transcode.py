"""Turn one stored instance into a native transfer syntax, and prove that it is the same image.

The whole instance is in memory, twice; doors handle one instance at a time.
"""

import struct
import warnings
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.filewriter import correct_ambiguous_vr
from pydicom.uid import UID

from archive.errors import DataSetUnreadable, NotAcceptable, PixelsDiffer
from archive.view.character_sets import coded
from archive.view.elements import form_of
from archive.view.sameness import same_elements
from archive.words.syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    NATIVE,
)

if TYPE_CHECKING:
    from numpy import generic
    from numpy.typing import NDArray

TARGETS = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)
"""What a stored instance can be turned into, the better first."""

UNREADABLE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What the DICOM library raises on content that it cannot read, decode or write."""

_DESCRIBING_PIXELS = frozenset(
    {0x00280002, 0x00280004, 0x00280006, 0x00280100, 0x00280101, 0x00280102, 0x00280103}
    | {0x7FE00001, 0x7FE00002, 0x7FE00003, 0x7FE00010}
)
_WORD_LENGTHS = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}
_BYTE = 8


def transcoded(octets: bytes, *, source: str, target: str) -> bytes:
    """Return a Data Set's octets in ``target``, one of :data:`TARGETS`.

    Raises:
        NotAcceptable: ``source`` is not native and nothing here decodes it, or the Data Set
            cannot be read.
        PixelsDiffer: what was made is, pixel for pixel and value for value, not what is stored.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = _made(octets, source, target)
            same = _is_same(_read(octets, source), _read(made, target))
    except (*UNREADABLE, DataSetUnreadable) as error:
        raise NotAcceptable(
            "The object cannot be turned into an accepted transfer syntax.",
            stored=source,
            wanted=target,
        ) from error
    if not same:
        raise PixelsDiffer("The transcoded object differs from the stored one.", wanted=target)
    return made


def _made(octets: bytes, source: str, target: str) -> bytes:
    data_set = _read(octets, source)
    if source not in NATIVE and "PixelData" in data_set:
        data_set.decompress(generate_instance_uid=False)
    return coded(data_set, form_of(target))


def _read(octets: bytes, syntax: str) -> Dataset:
    """Return a Data Set whose binary words are little endian, whatever they were."""
    plain = octets
    if syntax == DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN:
        plain = zlib.decompress(octets, wbits=-zlib.MAX_WBITS)
    form = form_of(syntax)
    data_set = read_dataset(BytesIO(plain), not form.explicit, not form.big)
    data_set.file_meta = FileMetaDataset()
    little = EXPLICIT_VR_LITTLE_ENDIAN if syntax == EXPLICIT_VR_BIG_ENDIAN else syntax
    data_set.file_meta.TransferSyntaxUID = UID(little)
    if form.big:
        _swap_words(data_set)
    return correct_ambiguous_vr(data_set, not form.big)


def _swap_words(data_set: Dataset) -> None:
    for element in data_set:
        if element.VR == "SQ":
            for item in element.value or ():
                _swap_words(item)
        elif element.VR in _WORD_LENGTHS and isinstance(element.value, bytes):
            element.value = _swapped(element.value, _WORD_LENGTHS[element.VR])


def _swapped(value: bytes, length: int) -> bytes:
    octets = bytearray(len(value))
    for place in range(length):
        octets[place::length] = value[length - 1 - place :: length]
    return bytes(octets)


def _is_same(stored: Dataset, made: Dataset) -> bool:
    allowed: frozenset[int] = frozenset()
    if str(stored.file_meta.TransferSyntaxUID) not in NATIVE and "PixelData" in stored:
        if not _same_pixels(stored.pixel_array, made.pixel_array):
            return False
        allowed = _DESCRIBING_PIXELS
    return same_elements(stored, made, allowed)


def _same_pixels(stored: "NDArray[generic]", made: "NDArray[generic]") -> bool:
    return stored.shape == made.shape and bool((stored == made).all())


def pieces(octets: bytes, size: int = 1 << 20) -> Iterator[bytes]:
    """Yield octets in pieces of at most ``size``."""
    for start in range(0, len(octets), size):
        yield octets[start : start + size]
