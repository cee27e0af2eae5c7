"""The messages between tiers, version 1.

Each is frozen, bounded, and refuses a key it does not know: what a hostile or newer peer sends is
refused whole, never half understood. Times are milliseconds since 1970, UTC; digests hexadecimal.
"""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from archive.errors import MalformedMessage
from archive.states import InstanceState

Uid = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)*$", max_length=64)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
AnySha256 = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")]
"""A digest, or empty for whatever octets come under a UID."""
Short = Annotated[str, StringConstraints(max_length=64)]
Text = Annotated[str, StringConstraints(max_length=1024)]
Milliseconds = Annotated[int, Field(ge=0, lt=1 << 53)]
Count = Annotated[int, Field(ge=0, lt=1 << 53)]


class Message(BaseModel):
    """What every message is."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class IssuerPart(Message):
    """An assigning authority."""

    organisation: Short
    namespace: Short
    kind: Literal["MRN", "NHS", "CHI", "HC"] = "MRN"
    oid: Short = ""


class StudyPart(Message):
    """What is told of a study."""

    study_instance_uid: Uid
    kind: Literal["study", "folder"] = "study"
    issuer: IssuerPart | None = None
    mrn: Short = ""
    patient_name: Text = ""
    birth_date: Short = ""
    sex: Short = ""
    study_date: Short = ""
    study_time: Short = ""
    accession_number: Short = ""
    accession_issuer: IssuerPart | None = None
    study_id: Short = ""
    description: Text = ""
    referring_physician: Text = ""


class SeriesPart(Message):
    """What is told of a series."""

    series_instance_uid: Uid
    kind: Literal["series", "documents"] = "series"
    modality: Short = ""
    series_number: Short = ""
    description: Text = ""
    body_part: Short = ""
    laterality: Short = ""
    series_date: Short = ""
    series_time: Short = ""


class PackPart(Message):
    """A pack as it is told of; manifest and origin are the pack's own, as text."""

    content: Sha256
    manifest: Annotated[str, StringConstraints(max_length=32 * 1024 * 1024)]
    """``manifest.json``, canonical: its SHA-256 is ``content``."""
    origin: Annotated[str, StringConstraints(max_length=32 * 1024 * 1024)]
    """``origin.json``."""


class StatePart(Message):
    """One row of the state overlay, as its custodian numbered it."""

    sop_instance_uid: Uid
    sha256: AnySha256
    state: InstanceState
    serves: bool
    code: Short
    actor: Text
    at_ms: Milliseconds
    numbered_by: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    """Name of the node or centre that numbered it."""
    seq: Annotated[int, Field(ge=1, lt=1 << 53)]


class StatesMessage(Message):
    """States of one custodian, in the order of their numbers."""

    version: Literal[1] = 1
    custodian: Short
    states: Annotated[tuple[StatePart, ...], Field(max_length=1000)]


class AnnouncementMessage(Message):
    """A series, its newly sealed packs and the states that concern them."""

    version: Literal[1] = 1
    custodian: Short
    study: StudyPart
    series: SeriesPart
    packs: Annotated[tuple[PackPart, ...], Field(min_length=1, max_length=100)]
    states: Annotated[tuple[StatePart, ...], Field(max_length=100_000)] = ()


class LackingMessage(Message):
    """The answer to an announcement: what the announcer is asked to put."""

    version: Literal[1] = 1
    lacking: tuple[Sha256, ...]
    """Digests that this tier does not hold."""
    packs: tuple[Sha256, ...]
    """Contents of the announced packs that hold any of them."""


class ReceiptMessage(Message):
    """What is durable and verified at the answering tier."""

    version: Literal[1] = 1
    content: Sha256
    encoding: Sha256
    digests: tuple[Sha256, ...]


class PatientPart(Message):
    """A local patient as its PAS tells."""

    issuer: IssuerPart
    mrn: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    name: Text = ""
    birth_date: Short = ""
    sex: Short = ""
    postcode: Short = ""
    nhs_number: Short = ""
    nhs_status: Short = ""
    active: bool = True


class PatientsMessage(Message):
    """Patients that a node's feeds have told of."""

    version: Literal[1] = 1
    patients: Annotated[tuple[PatientPart, ...], Field(min_length=1, max_length=500)]


class ArrivalMessage(Message):
    """A patient has turned up at a trust."""

    version: Literal[1] = 1
    issuer: IssuerPart
    mrn: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    event: Annotated[str, StringConstraints(pattern=r"^A[0-9]{2}$")]
    message_key: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    """Names the message of the feed; the same key again is the same arrival."""
    at_ms: Milliseconds


class LinkPart(Message):
    """What the centre holds of a patient of the node and one of another trust."""

    local: PatientPart
    foreign: PatientPart
    state: Literal["CONFIRMED", "QUARANTINED"]
    """One person, or no longer held for one."""
    at_ms: Milliseconds
    """When the centre said so; what it said before does not count any more."""


class FetchPack(Message):
    """A pack that an order names."""

    content: Sha256
    encoding: Sha256
    length: Count
    kind: Literal["series", "documents"]
    series: SeriesPart


class FetchOrder(Message):
    """Fetch a study of another trust, register it, pin it."""

    kind: Literal["fetch"] = "fetch"
    custodian: Short
    study: StudyPart
    packs: Annotated[tuple[FetchPack, ...], Field(max_length=10_000)]
    """In the order they are wanted: the report first."""
    links: Annotated[tuple[LinkPart, ...], Field(max_length=100)]
    states: Annotated[tuple[StatePart, ...], Field(max_length=100_000)] = ()
    pin_until_ms: Milliseconds | None = None


class StatesOrder(Message):
    """Take over states of objects that the node holds copies of."""

    kind: Literal["states"] = "states"
    custodian: Short
    states: Annotated[tuple[StatePart, ...], Field(max_length=1000)]


class LinksOrder(Message):
    """Take over what the centre holds of people whose studies the node was sent."""

    kind: Literal["links"] = "links"
    links: Annotated[tuple[LinkPart, ...], Field(min_length=1, max_length=1000)]


class PutOrder(Message):
    """Send a pack of your own that is wanted now."""

    kind: Literal["put"] = "put"
    content: Sha256


class OrderPart(Message):
    """One order with its id."""

    order_id: Annotated[int, Field(ge=1)]
    order_class: Literal["urgent", "prefetch", "routine", "backfill", "verify"]
    deadline_ms: Milliseconds | None = None
    body: Annotated[FetchOrder | StatesOrder | LinksOrder | PutOrder, Field(discriminator="kind")]


class OrdersMessage(Message):
    """What the centre asks of a node; each is offered until it is acknowledged."""

    version: Literal[1] = 1
    orders: Annotated[tuple[OrderPart, ...], Field(max_length=100)]


class OutcomeMessage(Message):
    """How an order ended at the node."""

    version: Literal[1] = 1
    done: bool
    evidence: Text = ""
    """Counts and digests; never a patient."""


Kind = TypeVar("Kind", bound=Message)


def read_message(kind: type[Kind], octets: bytes | str) -> Kind:
    """Return the message in JSON text.

    Raises:
        MalformedMessage: it does not have the agreed form; the sentence names each wrong key,
            never its value.
    """
    try:
        return kind.model_validate_json(octets)
    except ValidationError as error:
        wrong = (f"{'.'.join(map(str, each['loc']))}: {each['type']}" for each in _few(error))
        raise MalformedMessage("; ".join(wrong), message=kind.__name__) from None


def _few(error: ValidationError) -> list[Any]:
    return list(error.errors(include_url=False, include_input=False)[:5])
