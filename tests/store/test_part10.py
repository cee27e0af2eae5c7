"""File Meta Information as it is written on arrival, and where the Data Set begins."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import FileMetaDataset

from archive.errors import DataSetUnreadable
from archive.store.part10 import TEXT_LIMIT, data_set_offset, file_meta
from archive.words.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

CORPUS = Path("../shared/dicom")


def meta(**changes: str) -> bytes:
    texts = {
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
        "sop_instance_uid": "1.2.3.4",
        "transfer_syntax": "1.2.840.10008.1.2.1",
        "calling_ae": "CT1",
        "called_ae": "RXA1",
    }
    return file_meta(**(texts | changes))


def read_meta(octets: bytes) -> FileMetaDataset:
    return dcmread(io.BytesIO(octets)).file_meta


def test_file_meta_has_the_octets_it_has_always_had() -> None:
    group = (
        b"\x02\0\x01\0OB\0\0\x02\0\0\0\0\x01"
        b"\x02\0\x02\0UI\x1a\x001.2.840.10008.5.1.4.1.1.2\0"
        b"\x02\0\x03\0UI\x08\x001.2.3.4\0"
        b"\x02\0\x10\0UI\x14\x001.2.840.10008.1.2.1\0"
        b"\x02\0\x12\0UI\x2c\x00%b"
        b"\x02\0\x13\0SH\x0e\x00%b "
        b"\x02\0\x16\0AE\x04\x00CT1 "
        b"\x02\0\x18\0AE\x04\x00RXA1"
    ) % (IMPLEMENTATION_CLASS_UID.encode(), IMPLEMENTATION_VERSION_NAME.encode())
    length = len(group).to_bytes(4, "little")
    assert meta() == bytes(128) + b"DICM\x02\0\0\0UL\x04\0" + length + group


def test_another_reader_finds_what_was_written() -> None:
    read = read_meta(meta())
    assert read.MediaStorageSOPInstanceUID == "1.2.3.4"
    assert read.SourceApplicationEntityTitle == "CT1"
    assert read.ReceivingApplicationEntityTitle == "RXA1"
    assert read.FileMetaInformationGroupLength == len(meta()) - 144


def test_an_empty_title_is_left_out() -> None:
    read = read_meta(meta(calling_ae="", called_ae=""))
    assert "SourceApplicationEntityTitle" not in read
    assert "ReceivingApplicationEntityTitle" not in read


@given(text=st.text(st.characters(exclude_categories=[]), max_size=2 * TEXT_LIMIT))
def test_whatever_text_a_peer_sends_the_data_set_is_found(text: str) -> None:
    octets = meta(sop_instance_uid=text, calling_ae=text, sop_class_uid=text)
    assert data_set_offset(octets + b"\x08\0\x05\0CS\0\0") == len(octets)


def test_the_data_set_begins_behind_group_0002_whatever_its_length_says() -> None:
    octets = bytearray(meta())
    octets[140:144] = (10).to_bytes(4, "little")
    assert data_set_offset(bytes(octets) + b"\x08\0\x05\0CS\0\0") == len(octets)


def test_a_file_with_nothing_but_meta_has_an_empty_data_set() -> None:
    assert data_set_offset(meta()) == len(meta())


@pytest.mark.parametrize("octets", [b"", bytes(132), meta()[:131], meta()[:132], meta()[:-1]])
def test_what_is_not_part_10_is_said_to_be_unreadable(octets: bytes) -> None:
    with pytest.raises(DataSetUnreadable):
        data_set_offset(octets)


def test_in_real_files_it_begins_where_pydicom_finds_it() -> None:
    if not CORPUS.is_dir():
        pytest.skip("../shared/dicom is not here")
    paths = sorted(path for path in (CORPUS / "series").rglob("*") if path.is_file())[::10]
    for path in paths:
        octets = path.read_bytes()
        read = dcmread(io.BytesIO(octets), stop_before_pixels=True)
        begins = 144 + read.file_meta.FileMetaInformationGroupLength
        assert data_set_offset(octets) == begins
