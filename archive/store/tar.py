r"""The tar format as packs use it: POSIX.1-2001 pax interchange format, one form for each member.

Header block, 512 octets; numbers are octal digits, texts end with zeros:

| at  | octets | field                | value                                                   |
| --- | ------ | -------------------- | ------------------------------------------------------- |
| 0   | 100    | name                 | of at most 100 octets                                   |
| 100 | 8      | mode                 | ``0000444``, zero                                       |
| 108 | 8      | uid                  | ``0000000``, zero                                       |
| 116 | 8      | gid                  | ``0000000``, zero                                       |
| 124 | 12     | size                 | 11 digits, zero; 0 where a pax record tells it          |
| 136 | 12     | mtime                | ``00000000000``, zero                                   |
| 148 | 8      | chksum               | 6 digits, zero, space: sum of all octets, with spaces   |
|     |        |                      | in this field                                           |
| 156 | 1      | typeflag             | ``0`` regular file, ``x`` pax header of the next member |
| 157 | 100    | linkname             | zeros                                                   |
| 257 | 8      | magic and version    | ``ustar``, zero, ``00``                                 |
| 265 | 247    | uname, gname, device | zeros                                                   |
|     |        | numbers, prefix      |                                                         |

Content follows, padded with zeros to a multiple of 512; a member of 8 GiB and more has a pax
header before it, ``PaxHeaders/NAME``, with the one record ``LENGTH size=OCTETS\n``. The file ends
with 1,024 zeros and is not padded further.

A header read is written again and compared: no other octets than these are taken.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from archive.errors import PackMalformed

BLOCK = 512
END = bytes(2 * BLOCK)
USTAR_LIMIT = 8 * 1024**3
"""Sizes from here on do not fit 11 octal digits."""

_NAME_LIMIT = 100
_NAME = re.compile(rb"[A-Za-z0-9._/-]{1,100}")
_SIZE = re.compile(rb"[0-7]{11}\0")
_PAX = re.compile(rb"([0-9]{2}) size=([0-9]{10,16})\n")


@dataclass(frozen=True, slots=True)
class Entry:
    """A member's header."""

    name: str
    size: int
    """Octets of content that follow, before the padding."""


def header(entry: Entry) -> bytes:
    """Return what stands before the content: 512 octets, or 1,536 from 8 GiB on."""
    if entry.size < USTAR_LIMIT:
        return _block(entry.name, entry.size, b"0")
    record = _pax_record(entry.size)
    pax = _block(f"PaxHeaders/{entry.name}", len(record), b"x") + record + padding(len(record))
    return pax + _block(entry.name, 0, b"0")


def padding(size: int) -> bytes:
    """Return the zeros that follow content of this size."""
    return bytes(-size % BLOCK)


def read_header(read: Callable[[int], bytes]) -> Entry:
    """Return the next member's header; ``read`` gives exactly as many octets as it is asked for.

    Raises:
        PackMalformed: anything but octets that :func:`header` writes.
    """
    octets = read(BLOCK)
    is_pax = octets[156:157] == b"x"
    if is_pax:
        octets += read(2 * BLOCK)
    entry = Entry(_name(octets[-BLOCK:]), _pax_size(octets) if is_pax else _size(octets))
    if header(entry) != octets:
        raise PackMalformed("A tar header is not as packs have it.", name=entry.name)
    return entry


def _block(name: str, size: int, typeflag: bytes) -> bytes:
    octets = name.encode("ascii")
    if len(octets) > _NAME_LIMIT:
        raise PackMalformed("The name of a pack's member is too long.", name=name[:80])
    before = octets.ljust(_NAME_LIMIT, b"\0") + b"0000444\0" + 2 * b"0000000\0"
    numbers = b"%011o\0%011o\0" % (size, 0)
    magic = b"ustar\0" + b"00"
    after = bytes(100) + magic + bytes(247)
    checksum = sum(before) + sum(numbers) + 8 * ord(" ") + sum(typeflag) + sum(after)
    return before + numbers + b"%06o\0 " % checksum + typeflag + after


def _pax_record(size: int) -> bytes:
    text = b" size=%d\n" % size
    return b"%d%b" % (len(text) + 2, text)


def _name(block: bytes) -> str:
    name = block[:_NAME_LIMIT].rstrip(b"\0")
    if not _NAME.fullmatch(name):
        raise PackMalformed("The name of a pack's member is not well built.")
    return name.decode("ascii")


def _size(block: bytes) -> int:
    field = block[124:136]
    if not _SIZE.fullmatch(field):
        raise PackMalformed("The size of a pack's member is not well built.")
    return int(field[:-1], 8)


def _pax_size(octets: bytes) -> int:
    record = octets[BLOCK : BLOCK + _size(octets)]
    form = _PAX.fullmatch(record)
    if form is None or int(form[2]) < USTAR_LIMIT:
        raise PackMalformed("The pax header of a pack's member is not well built.")
    return int(form[2])
