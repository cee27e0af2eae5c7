"""The central store as a node calls it. The only module that speaks HTTP as a client."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Protocol

import httpx

import archive.errors
from archive.errors import (
    ArchiveError,
    DigestMismatch,
    EncodingChanged,
    Gone,
    MalformedMessage,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    NotYetHeld,
    PayloadTooLarge,
    PeerUnreachable,
    StorageFailed,
)
from archive.store.disk import lock_named
from sync.transfer.messages import (
    AnnouncementMessage,
    ArrivalMessage,
    LackingMessage,
    Message,
    OrdersMessage,
    OutcomeMessage,
    PatientsMessage,
    ReceiptMessage,
    StatesMessage,
    read_message,
)

API = "/tiers/v1"
OFFSET_HEADER = "Upload-Offset"
"""Octets of an upload that the centre holds already."""

_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_VERIFYING = httpx.Timeout(30.0, connect=5.0, read=600.0)
"""The centre answers a pack when every octet of it was verified and synced."""

PackReader = Callable[[int], Iterator[bytes]]
"""Gives a pack's octets from an offset."""
Check = Callable[[], None]
"""Called between chunks; what it raises ends the transfer, and what has come stays."""


class Centre(Protocol):
    """What a node asks of the central store.

    Every method raises PeerUnreachable when the centre does not answer, and the error that the
    centre names when it refuses.
    """

    def announce(self, message: AnnouncementMessage) -> LackingMessage:
        """Tell of packs; the answer says what of them to put."""

    def put_pack(
        self, *, content: str, encoding: str, length: int, read: PackReader
    ) -> ReceiptMessage:
        """Send a pack, from the octet where an earlier attempt broke off."""

    def get_pack(
        self, *, content: str, encoding: str, length: int, target: Path, check: Check
    ) -> None:
        """Fetch a pack into a file, from the octet where an earlier attempt broke off."""

    def tell_states(self, message: StatesMessage) -> None:
        """Tell of states of this trust's instances."""

    def tell_patients(self, message: PatientsMessage) -> None:
        """Tell of local patients."""

    def tell_arrival(self, message: ArrivalMessage) -> None:
        """Tell that a patient has turned up."""

    def orders(self, *, wait_seconds: float) -> OrdersMessage:
        """Return open orders, waiting until there is one or the time is over."""

    def acknowledge(self, order_id: int) -> None:
        """Say that an order is written down here."""

    def finish(self, order_id: int, message: OutcomeMessage) -> None:
        """Say how an order ended."""


class HttpCentre:
    """The central store over HTTP/1.1 with a bearer token."""

    def __init__(
        self, url: str, *, token: str, on_answer: Callable[[], None] = lambda: None
    ) -> None:
        """Call the store at a base URL; connections are kept and shared by threads.

        ``on_answer`` is called whenever the store has answered, whatever it said.
        """
        headers = {"Authorization": f"Bearer {token}"}
        self._on_answer = on_answer
        self._client = httpx.Client(
            base_url=url.rstrip("/") + API, headers=headers, timeout=_TIMEOUT
        )

    def close(self) -> None:
        """Close every kept connection."""
        self._client.close()

    def announce(self, message: AnnouncementMessage) -> LackingMessage:
        """Tell of packs; the answer says what of them to put."""
        return read_message(LackingMessage, self._post("/announcements", message).content)

    def put_pack(
        self, *, content: str, encoding: str, length: int, read: PackReader
    ) -> ReceiptMessage:
        """Send a pack, from the octet where an earlier attempt broke off."""
        path = f"/packs/{content}/{encoding}"
        size = {"length": str(length)}
        begun = self._call("HEAD", path, params=size)
        offset = int(begun.headers.get(OFFSET_HEADER, "0"))
        headers = {"Content-Length": str(length - offset)}
        if offset:
            headers["Content-Range"] = f"bytes {offset}-{length - 1}/{length}"
        body = read(offset) if offset < length else iter(())
        answer = self._call(
            "PUT", path, params=size, headers=headers, content=body, timeout=_VERIFYING
        )
        return read_message(ReceiptMessage, answer.content)

    def get_pack(
        self, *, content: str, encoding: str, length: int, target: Path, check: Check
    ) -> None:
        """Fetch a pack into a file, from the octet where an earlier attempt broke off.

        Raises:
            EncodingChanged: the centre offers another encoding by now.
            DigestMismatch: the centre sent another length than it promised.
            NotYetHeld: another transfer writes to the file.
        """
        have = target.stat().st_size if target.exists() else 0
        if have < length:
            headers = {
                "Range": f"bytes={have}-",
                "If-Match": f'"{encoding}"',
                "Accept-Encoding": "identity",
            }
            with self._streaming(f"/packs/{content}/{encoding}", headers) as answer:
                _append(target, have, answer, check)
        if target.stat().st_size != length:
            target.unlink()
            raise DigestMismatch("A pack came with another length than it has.", content=content)

    def tell_states(self, message: StatesMessage) -> None:
        """Tell of states of this trust's instances."""
        self._post("/states", message)

    def tell_patients(self, message: PatientsMessage) -> None:
        """Tell of local patients."""
        self._post("/patients", message)

    def tell_arrival(self, message: ArrivalMessage) -> None:
        """Tell that a patient has turned up."""
        self._post("/arrivals", message)

    def orders(self, *, wait_seconds: float) -> OrdersMessage:
        """Return open orders, waiting until there is one or the time is over."""
        timeout = httpx.Timeout(wait_seconds + 10.0, connect=5.0)
        answer = self._call("GET", "/orders", params={"wait": str(wait_seconds)}, timeout=timeout)
        return read_message(OrdersMessage, answer.content)

    def acknowledge(self, order_id: int) -> None:
        """Say that an order is written down here."""
        self._call("POST", f"/orders/{order_id}/acknowledgement")

    def finish(self, order_id: int, message: OutcomeMessage) -> None:
        """Say how an order ended."""
        self._post(f"/orders/{order_id}/outcome", message)

    def _post(self, path: str, message: Message) -> httpx.Response:
        headers = {"Content-Type": "application/json"}
        return self._call("POST", path, content=message.model_dump_json(), headers=headers)

    def _call(self, method: str, path: str, **request: object) -> httpx.Response:
        with _translated():
            answer = self._client.request(method, path, **request)  # type: ignore[arg-type]
        self._on_answer()
        _check(answer)
        return answer

    @contextlib.contextmanager
    def _streaming(self, path: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
        with _translated(), self._client.stream("GET", path, headers=headers) as answer:
            if answer.is_error:
                answer.read()
            _check(answer)
            yield answer


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        raise PeerUnreachable(
            "The central store did not answer.", cause=type(error).__name__
        ) from error


def _lock(file: BinaryIO, target: Path, have: int) -> None:
    """Let one transfer write; the staged file becomes the stored pack, in one step."""
    lock_named(file.fileno(), target)
    if file.tell() != have:
        raise BlockingIOError("another transfer has written meanwhile")


def _append(target: Path, have: int, answer: httpx.Response, check: Check) -> None:
    try:
        with target.open("ab") as file:
            _lock(file, target, have)
            for chunk in answer.iter_raw():
                file.write(chunk)
                check()
    except BlockingIOError as error:
        raise NotYetHeld("Another transfer of this pack is under way.") from error
    except OSError as error:
        raise StorageFailed("The staging disk refused a write.", cause=str(error)) from error


_BY_STATUS: Mapping[int, type[ArchiveError]] = {
    401: NotAuthenticated,
    403: NotPermitted,
    404: NotFound,
    410: Gone,
    412: EncodingChanged,
    413: PayloadTooLarge,
}
_SERVER_ERROR = 500


def _check(answer: httpx.Response) -> None:
    """Raise the error that the centre names; its own failure is as good as silence."""
    if not answer.is_error:
        return
    kind, sentence = _named(answer)
    if kind is None:
        failed = answer.status_code >= _SERVER_ERROR
        kind = PeerUnreachable if failed else _BY_STATUS.get(answer.status_code, MalformedMessage)
    raise kind(sentence or "The central store refused.", status=answer.status_code)


def _named(answer: httpx.Response) -> tuple[type[ArchiveError] | None, str]:
    try:
        problem = answer.json()
        kind = getattr(archive.errors, str(problem["error"]))
        known = isinstance(kind, type) and issubclass(kind, ArchiveError)
        return (kind if known else None), str(problem["detail"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, ""
