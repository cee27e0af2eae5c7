"""What can go wrong, and what happens next.

    ArchiveError
    ├── Refused            tell the caller; asking again the same way will not help
    │   ├── InvalidUid            InvalidQuery           MalformedMessage
    │   ├── NotAuthenticated      NotPermitted           UnknownCallingAE
    │   ├── UnknownDestination    NoAuthority            NoLocalNumber
    │   ├── UnknownIssuer         NotFound               Gone
    │   ├── NotAcceptable         PayloadTooLarge        EncodingChanged
    │   └── StateMoved            ConfigurationInvalid
    ├── Unavailable        try later; nothing is lost meanwhile
    │   ├── DiskFloorReached      SegmentClosed          StorageFailed
    │   ├── DatabaseUnavailable   BrokerUnavailable      PeerUnreachable
    │   └── PeerDeclined          NotYetHeld
    └── Damaged            show a person
        ├── DigestMismatch        TornRecord             PackMalformed
        └── DataSetUnreadable     PixelsDiffer

Every error carries a sentence, a hint for the person who gets it, and facts: keys and values for
one log line. Facts never hold a name, a birth date or a patient number.
"""

from typing import ClassVar


class ArchiveError(Exception):
    """The common base; never raised itself."""

    hint: ClassVar[str] = ""

    def __init__(self, sentence: str, **facts: object) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.facts = facts


class Refused(ArchiveError):
    """The request cannot be granted; tell the caller why."""


class Unavailable(ArchiveError):
    """The request cannot be granted now; it may be repeated later."""


class Damaged(ArchiveError):
    """Something is broken that no repetition mends; show it to a person."""


class InvalidUid(Refused):
    """A UID breaks the construction rules of PS3.5 Section 9."""

    hint = "A UID has digits and dots only and at most 64 characters; correct the sender."


class InvalidQuery(Refused):
    """A query has keys or values that cannot be matched (PS3.4 Section C.2.2)."""

    hint = "Correct the named key; wildcards and ranges are allowed where the Standard allows them."


class MalformedMessage(Refused):
    """A message between tiers, or an HTTP body, does not have the agreed form."""

    hint = "Both sides must run versions that share this message; compare their versions."


class NotAuthenticated(Refused):
    """No valid bearer token came with the request."""

    hint = "Send 'Authorization: Bearer TOKEN' with a token of this tier."


class NotPermitted(Refused):
    """The user is known but may not do this."""

    hint = "Ask the operator of this tier for the role that the route names."


class UnknownCallingAE(Refused):
    """The calling AE title is in no table of this tier."""

    hint = "Add the AE title to the source table of this tier."


class UnknownDestination(Refused):
    """The move destination is in no peer table of this node (PS3.4 C.4.2.1.4)."""

    hint = "Add the destination AE with its host and port to the peers of this node."


class NoAuthority(Refused):
    """A patient number was asked for and nothing says whose number it is."""

    hint = "Name the issuer (IssuerOfPatientID), or ask as a trust with an assigning authority."


class NoLocalNumber(Refused):
    """The asker's assigning authority has no number for this person."""

    hint = "Register the patient at the receiving trust first; then ask again."


class UnknownIssuer(Refused):
    """An assigning authority is named that nothing here knows."""

    hint = "Add the assigning authority to the organisation that issues it."


class NotFound(Refused):
    """Nothing here answers to that name."""

    hint = "Check the identifier; what is rejected or withheld is not found either."


class Gone(Refused):
    """What was asked for has been replaced; its successors are named in the facts."""

    hint = "Ask for the successors."


class NotAcceptable(Refused):
    """No representation that the caller accepts can be made."""

    hint = "Accept the stored transfer syntax (transfer-syntax=*) or one it can be turned into."


class PayloadTooLarge(Refused):
    """A message is larger than its limit."""

    hint = "Send it in smaller parts."


class EncodingChanged(Refused):
    """A resumed transfer names another encoding of the same content."""

    hint = "Start the transfer anew with the encoding that is offered now."


class StateMoved(Refused):
    """A guarded move found its row in another state: somebody else was first."""

    hint = "Read the row again and decide anew."


class ConfigurationInvalid(Refused):
    """A setting is missing or contradicts another."""

    hint = "Correct the named setting in the configuration file."


class DiskFloorReached(Unavailable):
    """Less space is free than the floor that is kept for work already accepted."""

    hint = "Free space on the spool's disk, or wait until replication has let studies be evicted."


class SegmentClosed(Unavailable):
    """A write or sync failed before; this segment takes nothing more."""

    hint = "Send again: the next store begins a new segment."


class StorageFailed(Unavailable):
    """The disk or object store refused a read, write or sync."""

    hint = "Look at the machine's disk and object store; the sender will try again."


class DatabaseUnavailable(Unavailable):
    """The database did not answer in time."""

    hint = "Look at the database; receiving goes on without it."


class BrokerUnavailable(Unavailable):
    """The broker did not take a wake-up; the sweep will repeat it."""

    hint = "Look at the broker; no work is lost."


class PeerUnreachable(Unavailable):
    """The other tier, or a DICOM peer, did not answer."""

    hint = "Look at the link and the peer; the job is tried again by itself."


class PeerDeclined(Unavailable):
    """A DICOM peer answered, and did not take what it is owed; it may take it later."""

    hint = "Look at the peer's log and configuration; the job is tried again by itself."


class NotYetHeld(Unavailable):
    """The object is announced, but its bytes are still on their way."""

    hint = "Ask again shortly; the holder has been told."


class DigestMismatch(Damaged):
    """Bytes do not have the digest they were promised with."""

    hint = "The copy is not used; it will be fetched anew from a place that verifies."


class TornRecord(Damaged):
    """A segment's record does not verify; it was never acknowledged."""

    hint = "Nothing to do: the sender was not told Success and sends again."


class PackMalformed(Damaged):
    """A pack lacks a part or its parts contradict each other."""

    hint = "Rebuild the pack from another copy."


class DataSetUnreadable(Damaged):
    """A Data Set cannot be indexed; its bytes are kept in held."""

    hint = "Look at the held object and correct the sender."


class PixelsDiffer(Damaged):
    """A transcoded image is not the image that is stored."""

    hint = "The object was not sent; ask with the stored transfer syntax."
