"""Commands that say all that is needed, oddly: each is served, and what it brings is kept."""

import struct
from collections.abc import Callable, Mapping

import pytest

from archive.words.statuses import StoreStatus
from deploy.demo.command_set import (
    CommandElement,
    ae_element,
    command_set,
    number_element,
    read_elements,
)
from tests.wire import octets
from tests.wire.octets import Message, element, noise, plain
from tests.wire.scripted import Peer
from tests.wire.spooled import Spooled

pytestmark = pytest.mark.usefixtures("served")


UID = b"1.2.826.8."
ODD_UIDS: Mapping[str, tuple[bytes, int]] = {
    "odd length": (UID + b"1", StoreStatus.SUCCESS),
    "odd length, padded": (UID + b"2.3\0", StoreStatus.SUCCESS),
    "padded with a space": (UID + b"5.4 ", StoreStatus.SUCCESS),
    "64 characters": (UID + b"2" * 54, StoreStatus.SUCCESS),
    "65 characters": (UID + b"3" * 55, StoreStatus.INVALID_SOP_INSTANCE),
    "65 characters, padded": (UID + b"4" * 55 + b"\0", StoreStatus.INVALID_SOP_INSTANCE),
}


@pytest.mark.parametrize(("value", "status"), ODD_UIDS.values(), ids=list(ODD_UIDS))
def test_an_odd_uid_is_kept_and_told_of_only_where_it_is_none(
    spooled: Spooled, peer: Peer, value: bytes, status: int
) -> None:
    *elements, _ = octets.store_elements("", 1, b"")
    number = CommandElement.AFFECTED_SOP_INSTANCE_UID
    command = command_set(*elements, element(number, value))
    peer.associate()
    peer.say(plain(Message(octets.CT_EXPLICIT, command, noise(8, 500))))
    answer = peer.answer()

    uid = value.decode().rstrip("\0 ")
    assert answer.status == status
    assert read_elements(answer.command)[number].decode().rstrip("\0 ") == uid
    assert peer.released()
    assert [one.data_set for one in spooled.kept(uid, 1)] == [noise(8, 500)]


def _reversed(elements: list[bytes]) -> bytes:
    return command_set(*reversed(elements))


def _with_originator(elements: list[bytes]) -> bytes:
    return command_set(
        *elements,
        ae_element(CommandElement.MOVE_ORIGINATOR, "WORKSTATION"),
        element(0x1031, struct.pack("<H", 7)),
    )


def _wrong_group_length(length: int) -> Callable[[list[bytes]], bytes]:
    return lambda elements: element(0, struct.pack("<I", length)) + b"".join(elements)


def _without_group_length(elements: list[bytes]) -> bytes:
    return b"".join(elements)


def _with_unknown_elements(elements: list[bytes]) -> bytes:
    retired = element(0x0001, struct.pack("<I", 4)), element(0x0010, b"ACR-NEMA 2.0")
    return command_set(*retired, *elements, element(0x5010, b"x"), element(0x7FFF, b""))


def _without_priority(elements: list[bytes]) -> bytes:
    return command_set(*elements[:3], *elements[4:])


def _any_data_set_type(kind: int) -> Callable[[list[bytes]], bytes]:
    follows = number_element(CommandElement.COMMAND_DATA_SET_TYPE, kind)
    return lambda elements: command_set(*elements[:4], follows, *elements[5:])


ODD_COMMANDS: Mapping[str, Callable[[list[bytes]], bytes]] = {
    "move originator": _with_originator,
    "group length too short": _wrong_group_length(2),
    "group length too long": _wrong_group_length(0xFFFF_FFFF),
    "no group length": _without_group_length,
    "unknown elements": _with_unknown_elements,
    "descending order": _reversed,
    "no priority": _without_priority,
    "Data Set type 0000H": _any_data_set_type(0x0000),
    "Data Set type 0102H": _any_data_set_type(0x0102),
}


@pytest.mark.parametrize("made", ODD_COMMANDS.values(), ids=list(ODD_COMMANDS))
@pytest.mark.parametrize("message_id", [0, 65_535], ids="message {}".format)
def test_an_odd_command_that_says_all_that_is_needed_is_served(
    spooled: Spooled, peer: Peer, made: Callable[[list[bytes]], bytes], message_id: int
) -> None:
    uid = f"1.2.826.9.{list(ODD_COMMANDS.values()).index(made)}.{message_id}"
    command = made(octets.store_elements(uid, message_id, b"follows"))
    peer.associate()
    peer.say(plain(Message(octets.CT_EXPLICIT, command, noise(9, 700))))
    answer = peer.answer()

    assert (answer.message_id, answer.status) == (message_id, StoreStatus.SUCCESS)
    assert peer.released()
    assert [one.data_set for one in spooled.kept(uid, 1)] == [noise(9, 700)]
