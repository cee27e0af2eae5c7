"""Sequences of requests, and what has to come of them."""

from collections.abc import Sequence

from deploy.demo.command_set import CommandElement, read_elements
from tests.wire.octets import CONTEXTS, LIMIT, STORING, Message, echo, noise, store
from tests.wire.spooled import Kept


def conversation(under: str) -> list[Message]:
    """Return stores of several sizes in several contexts, echoes between them."""
    sizes = (1, 98, 100, 102, 4_999, 5_000, 70_001, LIMIT, 3)
    messages: list[Message] = [echo(1)]
    for number, size in enumerate(sizes, start=2):
        context_id = STORING[number % len(STORING)]
        one = store(f"{under}{number}", number, noise(number, size), context_id=context_id)
        messages.append(one)
        messages += [echo(100 + number)] * (number % 3)
    return messages


def expected(messages: Sequence[Message]) -> list[Kept]:
    """Return what has to lie in the spool of messages."""
    return [
        Kept(_uid(one), one.context_id, CONTEXTS[one.context_id][1][0], one.data_set)
        for one in messages
        if one.data_set
    ]


def _uid(message: Message) -> str:
    values = read_elements(message.command)
    return values[CommandElement.AFFECTED_SOP_INSTANCE_UID].decode().rstrip("\0 ")


def message_ids(messages: Sequence[Message]) -> list[int]:
    """Return the message IDs of requests."""
    values = [read_elements(one.command)[CommandElement.MESSAGE_ID] for one in messages]
    return [int.from_bytes(value, "little") for value in values]
