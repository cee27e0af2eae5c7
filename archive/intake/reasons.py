"""Why an object is kept in ``held`` instead of being indexed."""

from enum import StrEnum

from archive.errors import DataSetUnreadable


class Reason(StrEnum):
    """The reason codes of ``held``."""

    NO_SOP_UID = "NO_SOP_UID"
    """The Data Set names no SOP Class or SOP Instance UID."""
    NO_STUDY_UID = "NO_STUDY_UID"
    NO_SERIES_UID = "NO_SERIES_UID"
    UID_MALFORMED = "UID_MALFORMED"
    """One of the four UIDs breaks the construction rules of PS3.5 Section 9.1."""
    UID_UNLIKE_COMMAND = "UID_UNLIKE_COMMAND"
    """The C-STORE command said another SOP Class or Instance (PS3.7 Section 9.1.1.1)."""
    BROKEN_CODING = "BROKEN_CODING"
    """The octets are not elements of a Data Set (PS3.5 Section 7)."""
    TRUNCATED = "TRUNCATED"
    """An element runs past the end of the Data Set."""
    UNKNOWN_CALLING_AE = "UNKNOWN_CALLING_AE"
    """Nothing says whose objects come from this AE title or feed."""
    NOT_EXPECTED = "NOT_EXPECTED"
    """An HL7 message, or a storage commitment request, at a tier that takes none."""
    INTAKE_FAILED = "INTAKE_FAILED"
    """The object reads well, and the index refused it all the same."""


def unreadable(reason: Reason, sentence: str, **facts: object) -> DataSetUnreadable:
    """Return the error that sends an object to ``held`` for a reason."""
    return DataSetUnreadable(sentence, reason=reason, **facts)


def reason_of(error: DataSetUnreadable) -> Reason:
    """Return the reason in an error; one that carries none is of the coding."""
    return Reason(str(error.facts.get("reason", Reason.BROKEN_CODING)))
