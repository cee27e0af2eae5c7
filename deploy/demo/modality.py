"""A modality that changes nothing: a Storage SCU which sends Data Set octets as they lie.

Each (SOP class, transfer syntax) is a presentation context of its own, so a receiver can accept an
object only in the syntax in which it lies, and the digest of what was sent is the digest of what
the receiver ought to have.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from deploy.demo.association import VERIFICATION, Association, ContextNotAccepted, Stored
from deploy.demo.upper_layer import (
    CONTEXT_LIMIT,
    Acceptance,
    AnswerOverdue,
    AssociationAborted,
    AssociationLost,
    AssociationRejected,
    Connection,
    PduType,
    PeerError,
    PeerUnreachable,
    PresentationContext,
    ProtocolBroken,
    associate_request,
    read_acceptance,
)
from deploy.demo.wire_object import NotSendable, WireObject

__all__ = [
    "AnswerOverdue",
    "Association",
    "AssociationAborted",
    "AssociationLost",
    "AssociationRejected",
    "ContextNotAccepted",
    "Modality",
    "NotSendable",
    "PeerError",
    "PeerUnreachable",
    "ProtocolBroken",
    "Stored",
    "WireObject",
]

TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Modality:
    """One application entity that stores to one other."""

    ae_title: str
    host: str
    port: int
    called: str
    timeout: float = TIMEOUT_SECONDS
    """Seconds for connecting, for each PDU sent and for each answer."""

    def echo(self) -> int:
        """Return the status of one C-ECHO on an association of its own.

        Raises:
            PeerError: any of its kinds.
        """
        with self.open() as association:
            return association.echo()

    def open(self, wire_objects: Iterable[WireObject] = ()) -> Association:
        """Open an association that can carry these objects, and C-ECHO.

        Raises:
            PeerUnreachable, AssociationRejected, AssociationAborted, AssociationLost,
            AnswerOverdue, ProtocolBroken
            ValueError: the objects need more contexts than one association can have.
        """
        return self.open_contexts(_contexts_of(wire_objects))

    def open_contexts(self, contexts: Sequence[PresentationContext]) -> Association:
        """Open an association with these contexts and Verification; raises as ``open`` does."""
        if len(contexts) >= CONTEXT_LIMIT:
            raise ValueError("An association has 128 presentation contexts at most.")
        numbered = {2 * n + 1: context for n, context in enumerate([VERIFICATION, *contexts])}
        request = associate_request(called=self.called, calling=self.ae_title, contexts=numbered)
        connection, acceptance = requested(self.host, self.port, request, timeout=self.timeout)
        return Association(connection, contexts=numbered, acceptance=acceptance)

    def store(self, wire_objects: Iterable[WireObject]) -> list[Stored]:
        """Store all objects and tell what became of each, in the order given.

        Objects are sent grouped so that no association needs more than 128 contexts. Where the
        peer drops an association, the object under way is told as without response, and the rest
        go on a new one.

        Raises:
            PeerError: an association could not be opened; what was stored before is not told.
        """
        pending = list(enumerate(wire_objects))
        outcomes: dict[int, Stored] = {}
        for contexts in _batches(_contexts_of(one for _, one in pending)):
            batch = [(n, one) for n, one in pending if one.context in contexts]
            while batch:
                outcomes.update(self._store_batch(contexts, batch))
                batch = [(n, one) for n, one in batch if n not in outcomes]
        return [outcomes[n] for n in sorted(outcomes)]

    def _store_batch(
        self,
        contexts: Sequence[PresentationContext],
        batch: Sequence[tuple[int, WireObject]],
    ) -> dict[int, Stored]:
        outcomes: dict[int, Stored] = {}
        with self.open_contexts(contexts) as association:
            for number, wire_object in batch:
                try:
                    outcomes[number] = association.store(wire_object)
                except ContextNotAccepted as problem:
                    outcomes[number] = Stored.unanswered(wire_object, problem)
                except PeerError as problem:
                    outcomes[number] = Stored.unanswered(wire_object, problem)
                    association.abort()
                    break
        return outcomes


def requested(
    host: str, port: int, request: bytes, *, timeout: float
) -> tuple[Connection, Acceptance]:
    """Connect, send an A-ASSOCIATE-RQ and return what carries the association that was accepted.

    Raises:
        PeerError: as ``Modality.open``.
    """
    connection = Connection.to(host, port, timeout=timeout)
    try:
        return connection, _negotiated(connection, request)
    except PeerError:
        connection.close()
        raise


def _negotiated(connection: Connection, request: bytes) -> Acceptance:
    connection.send(request)
    answer = connection.receive()
    if answer.kind == PduType.ASSOCIATE_RJ:
        _, result, source, reason = answer.body.ljust(4, b"\0")[:4]
        raise AssociationRejected(result=result, source=source, reason=reason)
    if answer.kind != PduType.ASSOCIATE_AC:
        raise ProtocolBroken(f"{answer.kind.name} came in answer to A-ASSOCIATE-RQ.")
    return read_acceptance(answer.body)


def _contexts_of(wire_objects: Iterable[WireObject]) -> list[PresentationContext]:
    return list(dict.fromkeys(wire_object.context for wire_object in wire_objects))


def _batches(contexts: Sequence[PresentationContext]) -> Iterator[list[PresentationContext]]:
    beside_verification = CONTEXT_LIMIT - 1
    for start in range(0, len(contexts), beside_verification):
        yield list(contexts[start : start + beside_verification])
