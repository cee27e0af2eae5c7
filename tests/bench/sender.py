"""One association of a modality that is faster than any receiver: `python -m tests.bench.sender`.

Reads its task as one line of JSON, associates, makes its messages, says `ready`, and sends once it
is told to; every instance is sent after the answer to the one before. Ends with one line of JSON.
The standard library and nothing else, for its start must be short.
"""

import json
import mmap
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from struct import unpack

from tests.bench import message
from tests.bench.message import Accepted, Identity, Message

SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Template:
    """A file to make messages of."""

    path: str
    sop_class: str
    syntax: str
    series: int
    data_set_at: int
    identity: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Task:
    """What one association sends: templates round and round, each time as new instances."""

    host: str
    port: int
    called: str
    calling: str
    run: int
    stream: int
    count: int
    templates: Sequence[Template]
    largest_pdu: int = message.LARGEST_PDU_BYTES

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Task":
        told = json.loads(text)
        return cls(**{**told, "templates": [Template(**one) for one in told["templates"]]})

    def identity(self, number: int) -> Identity:
        """Return the identity of its nth instance, from 0: two series make a study."""
        rounds, place = divmod(number, len(self.templates))
        series = rounds * 100 + self.templates[place].series
        return Identity.of(
            run=self.run,
            stream=self.stream,
            study=series // 2,
            series=series,
            instance=number,
        )


@dataclass(frozen=True, slots=True)
class Sent:
    """When it sent, by CLOCK_MONOTONIC, which all processes of a machine share."""

    began: float
    ended: float
    count: int


class Connection:
    """A socket that reads whole PDUs."""

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port), timeout=SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._kept = bytearray()

    def pdu(self) -> tuple[int, bytes]:
        """Return type and body of the next PDU."""
        kind, length = unpack(">BxI", self._read(6))
        return kind, self._read(length)

    def _read(self, length: int) -> bytes:
        while len(self._kept) < length:
            came = self.socket.recv(65536)
            if not came:
                raise ConnectionError("the receiver closed the connection")
            self._kept += came
        taken = bytes(self._kept[:length])
        del self._kept[:length]
        return taken


def associated(connection: Connection, task: Task) -> tuple[Accepted, dict[tuple[str, str], int]]:
    """Associate, and return what was accepted and the context of each class and syntax."""
    pairs = dict.fromkeys((one.sop_class, one.syntax) for one in task.templates)
    contexts = {2 * place + 1: pair for place, pair in enumerate(pairs)}
    connection.socket.sendall(
        message.associate_request(called=task.called, calling=task.calling, contexts=contexts)
    )
    kind, body = connection.pdu()
    if kind != 2:
        raise ConnectionError(f"not accepted: PDU type {kind}, {body.hex()}")
    accepted = message.read_acceptance(body)
    if set(contexts) - accepted.contexts:
        raise ConnectionError("a presentation context was not accepted")
    return accepted, {pair: context_id for context_id, pair in contexts.items()}


def messages(
    task: Task, accepted: Accepted, contexts: Mapping[tuple[str, str], int]
) -> list[Message]:
    """Make the messages that the receiver can take."""
    return [
        made(
            one,
            context_id=contexts[one.sop_class, one.syntax],
            pdu_bytes=min(accepted.pdu_bytes, task.largest_pdu),
        )
        for one in task.templates[: task.count]
    ]


def made(template: Template, *, context_id: int, pdu_bytes: int) -> Message:
    """Make the message of a file."""
    with (
        Path(template.path).open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as whole,
        whole[template.data_set_at :] as data_set,
    ):
        return message.store_message(
            data_set,
            sop_class=template.sop_class,
            identity=Identity(**template.identity),
            context_id=context_id,
            pdu_bytes=pdu_bytes,
        )


def send(connection: Connection, task: Task, made_before: Sequence[Message]) -> Sent:
    """Send all instances, each after the answer to the one before."""
    began = time.monotonic()
    for number in range(task.count):
        one = made_before[number % len(made_before)]
        one.renew(task.identity(number), number % 65535 + 1)
        connection.socket.sendall(one.octets)
        _, response = connection.pdu()
        status = message.status_of(response)
        if status != 0:
            raise ConnectionError(f"instance {number} was answered {status:04X}H")
    return Sent(began, time.monotonic(), task.count)


def main() -> None:
    task = Task.from_json(sys.stdin.readline())
    connection = Connection(task.host, task.port)
    made_before = messages(task, *associated(connection, task))
    print("ready", flush=True)
    sys.stdin.readline()
    sent = send(connection, task, made_before)
    connection.socket.sendall(message.RELEASE_RQ)
    connection.pdu()
    print(json.dumps(asdict(sent)), flush=True)


if __name__ == "__main__":
    main()
