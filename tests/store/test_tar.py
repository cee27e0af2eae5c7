"""Tar headers: the octets they have always had, and what other readers make of them."""

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.errors import PackMalformed
from archive.store.tar import BLOCK, END, USTAR_LIMIT, Entry, header, padding, read_header

GOLDEN = (
    b"instances/000001.dcm".ljust(100, b"\0")
    + b"0000444\x000000000\x000000000\x00"
    + b"00000001750\x0000000000000\x00"
    + b"011142\x00 0"
    + bytes(100)
    + b"ustar\x0000"
    + bytes(247)
)
LARGE = Entry("instances/000001.dcm", 10 * 1024**3)


def test_a_header_has_the_octets_it_has_always_had() -> None:
    assert len(GOLDEN) == BLOCK
    assert header(Entry("instances/000001.dcm", 1000)) == GOLDEN


def test_a_header_is_what_python_writes_for_the_same_facts() -> None:
    facts = tarfile.TarInfo("instances/000001.dcm")
    facts.size, facts.mode = 1000, 0o444
    assert header(Entry(facts.name, facts.size)) == facts.tobuf(tarfile.USTAR_FORMAT)


@pytest.mark.parametrize("size", [0, 1, USTAR_LIMIT - 1, USTAR_LIMIT, LARGE.size, 2**52])
def test_python_reads_every_size(size: int) -> None:
    octets = header(Entry("instances/000001.dcm", size))
    assert len(octets) == (BLOCK if size < USTAR_LIMIT else 3 * BLOCK)
    with tarfile.open(fileobj=io.BytesIO(octets + END)) as archive:
        read = archive.next()
    assert read is not None
    assert (read.name, read.size) == ("instances/000001.dcm", size)
    assert (read.mtime, read.uid, read.gid, read.mode) == (0, 0, 0, 0o444)


@pytest.fixture
def sparse(tmp_path: Path) -> Path:
    """A file with a member of 10 GiB, a hole, and one behind it."""
    path = tmp_path / "large.tar"
    with path.open("wb") as file:
        file.write(header(LARGE))
        file.seek(LARGE.size, io.SEEK_CUR)
        file.write(header(Entry("layout.json", 2)) + b"{}" + padding(2) + END)
    return path


def test_the_command_reads_a_member_of_10_gib(sparse: Path) -> None:
    tar = shutil.which("tar")
    if tar is None:
        pytest.skip("the command tar is not here")
    listed = subprocess.run([tar, "tvf", sparse], capture_output=True, text=True, check=True).stdout
    assert [line.split()[2] for line in listed.splitlines()] == [str(LARGE.size), "2"]


def test_python_finds_what_lies_behind_a_member_of_10_gib(sparse: Path) -> None:
    with tarfile.open(sparse) as archive:
        sizes = [member.size for member in archive]
        behind = archive.extractfile("layout.json")
        assert behind is not None
        assert behind.read() == b"{}"
    assert sizes == [LARGE.size, 2]


@given(
    name=st.from_regex(r"[a-z0-9/._-]{1,80}", fullmatch=True),
    size=st.integers(0, 2**50) | st.sampled_from([USTAR_LIMIT - 1, USTAR_LIMIT]),
)
def test_a_header_is_read_as_it_was_written(name: str, size: int) -> None:
    entry = Entry(name, size)
    assert read_header(io.BytesIO(header(entry)).read) == entry


@given(at=st.integers(0, 3 * BLOCK - 1), bit=st.integers(0, 7))
def test_no_header_with_a_flipped_bit_is_taken_for_the_same(at: int, bit: int) -> None:
    octets = bytearray(header(LARGE))
    octets[at] ^= 1 << bit
    try:
        assert read_header(io.BytesIO(bytes(octets)).read).size != LARGE.size
    except PackMalformed:
        return


@pytest.mark.parametrize("octets", [bytes(BLOCK), b"x" * BLOCK, b"", b"\xff" * BLOCK])
def test_nothing_else_is_a_header(octets: bytes) -> None:
    with pytest.raises(PackMalformed):
        read_header(io.BytesIO(octets).read)


def test_a_name_that_does_not_fit_is_refused() -> None:
    with pytest.raises(PackMalformed):
        header(Entry("x" * 101, 1))
