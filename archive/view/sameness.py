"""Whether two Data Sets say the same, however they are coded."""

from pydicom import DataElement, Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

_SPECIFIC_CHARACTER_SET = 0x00080005


def same_elements(stored: Dataset, made: Dataset, allowed: frozenset[int]) -> bool:
    """Tell whether all elements have the same values, nested ones too.

    Group lengths, which say nothing of content, are left out, and so are character sets, since
    texts are compared as read, and the top-level tags that are ``allowed`` to differ.
    """
    kept = [element for element in stored if _counts(element, allowed)]
    others = [element for element in made if _counts(element, allowed)]
    return len(kept) == len(others) and all(
        _same_element(one, other) or _octets(one, stored) == _octets(other, made)
        for one, other in zip(kept, others, strict=True)
    )


def _counts(element: DataElement, allowed: frozenset[int]) -> bool:
    tag = element.tag
    return tag.element != 0 and tag != _SPECIFIC_CHARACTER_SET and tag not in allowed


def _same_element(stored: DataElement, made: DataElement) -> bool:
    if stored.tag != made.tag:
        return False
    if stored.VR == "SQ" and made.VR == "SQ":
        return len(stored.value) == len(made.value) and all(
            same_elements(one, other, frozenset())
            for one, other in zip(stored.value, made.value, strict=True)
        )
    # Two values that are not a number are the same value, though they do not compare so.
    return bool(stored.value == made.value) or repr(stored.value) == repr(made.value)


def _octets(element: DataElement, holder: Dataset) -> bytes:
    """Code an element without its VR: a private one is read as UN where no VR stands beside it."""
    alone = Dataset()
    alone.add(element)
    target = DicomBytesIO()
    target.is_implicit_VR = True
    target.is_little_endian = True
    names = holder.original_character_set
    write_dataset(target, alone, names if isinstance(names, str) else list(names))
    return target.getvalue()
