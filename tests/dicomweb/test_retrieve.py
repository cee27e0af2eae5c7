import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from pydicom import dcmread

from archive.index.header import Elsewhere
from archive.reader import Outgoing, Selection
from archive.states import InstanceState, LinkState
from tests.dicomweb.conftest import Client, clients
from tests.dicomweb.objects import (
    EXPLICIT,
    IMPLICIT,
    JPEG_BASELINE,
    JPEG_LOSSLESS,
    RLE,
    Made,
    broken_rle,
    ct,
    data_set_of,
    pixels,
)
from tests.dicomweb.tier import ANYTHING, Tier, parts
from tests.index.builders import ASKS_RXA, RXA, RXB

STUDY = "/dicom-web/studies/1.2.3"
SERIES = f"{STUDY}/series/1.2.3.1"
DICOM = 'multipart/related; type="application/dicom"'
AS_STORED = {"Accept": ANYTHING}


def instance(sop: str) -> str:
    return f"{SERIES}/instances/{sop}"


def digests(response: httpx.Response) -> list[bytes]:
    assert response.status_code == 200, response.text
    return [data_set_of(file) for _, file in parts(response)]


@pytest.mark.parametrize("seal", [False, True], ids=["loose", "packed"])
def test_a_study_comes_back_with_the_octets_that_arrived(
    tier: Tier, asks: Client, seal: bool
) -> None:
    made = [ct(f"1.2.3.1.{n}", syntax=syntax) for n, syntax in enumerate((EXPLICIT, IMPLICIT, RLE))]
    tier.store(*made, seal=seal)
    for url in (STUDY, SERIES):
        answer = asks("radiologist.RXA").get(url, headers=AS_STORED)
        assert digests(answer) == [each.octets for each in made]


def test_every_part_says_its_syntax_and_its_place_and_is_a_file(tier: Tier, asks: Client) -> None:
    made = [ct("1.2.3.1.1"), ct("1.2.3.1.2", syntax=RLE)]
    tier.store(*made)
    client = asks("radiologist.RXA")
    answer = client.get(STUDY, headers=AS_STORED)
    assert answer.headers["Content-Type"].startswith(f"{DICOM}; boundary=")
    for each, (headers, file) in zip(made, parts(answer), strict=True):
        assert (
            headers["Content-Type"] == f"application/dicom; transfer-syntax={each.transfer_syntax}"
        )
        assert headers["Content-Location"] == f"{client.base_url}{instance(each.sop_instance_uid)}"
        meta = dcmread(BytesIO(file)).file_meta
        assert meta.TransferSyntaxUID == each.transfer_syntax
        assert meta.MediaStorageSOPInstanceUID == each.sop_instance_uid


@pytest.mark.parametrize("accept", ["*/*", DICOM, f"{DICOM}; transfer-syntax={EXPLICIT}"])
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, RLE])
def test_the_default_is_explicit_vr_little_endian_with_the_same_pixels(
    tier: Tier, asks: Client, accept: str, syntax: str
) -> None:
    made = ct("1.2.3.1.1", syntax=syntax)
    tier.store(made)
    answer = asks("radiologist.RXA").get(STUDY, headers={"Accept": accept})
    ((headers, file),) = parts(answer)
    assert headers["Content-Type"].endswith(f"transfer-syntax={EXPLICIT}")
    assert dcmread(BytesIO(file)).file_meta.TransferSyntaxUID == EXPLICIT
    assert (pixels(file) == pixels(_stored(tier, "1.2.3.1.1"))).all()


def _stored(tier: Tier, sop: str) -> bytes:
    (outgoing,) = tier.rows.reader.select(ASKS_RXA, Selection(sop_uids=(sop,)))
    return b"".join(tier.rows.reader.part10(outgoing))


def test_one_instance_may_come_alone(tier: Tier, asks: Client) -> None:
    made = ct("1.2.3.1.1")
    tier.store(made)
    client = asks("radiologist.RXA")
    alone = client.get(instance("1.2.3.1.1"), headers={"Accept": "application/dicom"})
    assert alone.headers["Content-Type"] == f"application/dicom; transfer-syntax={EXPLICIT}"
    assert data_set_of(alone.content) == made.octets
    study = client.get(STUDY, headers={"Accept": "application/dicom"})
    assert (study.status_code, study.json()["error"]) == (406, "NotAcceptable")


def test_the_accept_parameter_stands_in_for_the_header(tier: Tier, asks: Client) -> None:
    made = ct("1.2.3.1.1", syntax=RLE)
    tier.store(made)
    answer = asks("radiologist.RXA").get(STUDY, params={"accept": ANYTHING})
    assert digests(answer) == [made.octets]


@pytest.mark.parametrize("accept", ["image/jpeg", f"{DICOM}; transfer-syntax={JPEG_BASELINE}"])
def test_what_cannot_be_made_is_not_acceptable(tier: Tier, asks: Client, accept: str) -> None:
    tier.store(ct("1.2.3.1.1"))
    answer = asks("radiologist.RXA").get(STUDY, headers={"Accept": accept})
    assert (answer.status_code, answer.json()["error"]) == (406, "NotAcceptable")
    assert "transfer-syntax=*" in answer.json()["hint"]


def test_what_cannot_be_decoded_is_left_out_of_a_study_and_the_answer_says_so(
    tier: Tier, asks: Client
) -> None:
    readable, other = ct("1.2.3.1.1"), ct("1.2.3.1.2", syntax=JPEG_LOSSLESS)
    tier.store(readable, other)
    client = asks("radiologist.RXA")
    partial = client.get(STUDY)
    assert partial.status_code == 206
    assert "1 of 2 instances" in partial.headers["Warning"]
    assert [data_set_of(file) for _, file in parts(partial)] == [readable.octets]
    assert client.get(instance("1.2.3.1.2")).status_code == 406
    assert digests(client.get(STUDY, headers=AS_STORED)) == [readable.octets, other.octets]


def test_what_turned_out_not_to_decode_is_left_out_when_it_is_asked_for_again(tier: Tier) -> None:
    readable, broken = ct("1.2.3.1.1"), broken_rle("1.2.3.1.2")
    tier.store(readable, broken)
    with clients(tier) as asks:
        client = asks("radiologist.RXA")
        with pytest.raises(httpx.RemoteProtocolError):
            client.get(STUDY)
        again = client.get(STUDY)
        assert again.status_code == 206
        assert "1 of 2 instances" in again.headers["Warning"]
        assert [data_set_of(file) for _, file in parts(again)] == [readable.octets]
        assert client.get(instance("1.2.3.1.2")).status_code == 406
        assert digests(client.get(STUDY, headers=AS_STORED)) == [readable.octets, broken.octets]


def test_lossy_pixels_are_given_as_they_are_where_no_syntax_is_named(
    tier: Tier, asks: Client
) -> None:
    made = ct("1.2.3.1.1", syntax=JPEG_BASELINE)
    tier.store(made)
    assert digests(asks("radiologist.RXA").get(STUDY)) == [made.octets]


def test_another_trust_gets_its_own_identifiers_and_the_same_pixels(
    tier: Tier, asks: Client
) -> None:
    made = ct("1.2.3.1.1")
    tier.store(made)
    rows = tier.rows
    theirs = rows.patient("B-9", RXB, "Doe^Archie")
    rows.link(rows.patient("1234", RXA), theirs, LinkState.CONFIRMED)
    ((_, file),) = parts(asks("radiologist.RXB").get(STUDY, headers=AS_STORED))
    stamped = dcmread(BytesIO(file))
    assert (stamped.PatientID, stamped.IssuerOfPatientID) == ("B-9", "RXB")
    assert stamped.SOPInstanceUID == "1.2.3.1.1"
    assert stamped.PixelData == dcmread(BytesIO(_stored(tier, "1.2.3.1.1"))).PixelData
    assert tier.deliveries() == [("WADO", "radiologist.RXB", "1.2.3.1.1", True)]


def test_a_trust_without_a_number_gets_the_issuer_stamped(tier: Tier, asks: Client) -> None:
    tier.store(ct("1.2.3.1.1"))
    ((_, file),) = parts(asks("radiologist.RXC").get(STUDY, headers=AS_STORED))
    assert dcmread(BytesIO(file)).IssuerOfPatientID == "RXA"


def test_metadata_is_dicom_json_with_the_view_applied_and_without_pixels(
    tier: Tier, asks: Client
) -> None:
    tier.store(ct("1.2.3.1.1"), ct("1.2.3.1.2"))
    own = asks("radiologist.RXA").get(f"{STUDY}/metadata")
    assert own.headers["Content-Type"] == "application/dicom+json"
    assert [each["00080018"]["Value"] for each in own.json()] == [["1.2.3.1.1"], ["1.2.3.1.2"]]
    assert own.json()[0]["00280010"] == {"vr": "US", "Value": [16]}
    assert "00100021" not in own.json()[0]
    foreign = asks("radiologist.RXC").get(f"{instance('1.2.3.1.2')}/metadata")
    (model,) = foreign.json()
    assert model["00100021"]["Value"] == ["RXA"]
    assert "7FE00010" not in model


@pytest.mark.parametrize("seal", [False, True], ids=["loose", "packed"])
def test_an_element_that_json_cannot_hold_is_left_out(tier: Tier, asks: Client, seal: bool) -> None:
    made = ct("1.2.3.1.1", RealWorldValueIntercept=float("nan"), RealWorldValueSlope=2.0)
    tier.store(made, seal=seal)
    (model,) = asks("radiologist.RXA").get(f"{STUDY}/metadata").json()
    assert model["00409225"] == {"vr": "FD", "Value": [2.0]}
    assert "00409224" not in model


@pytest.mark.parametrize("state", [InstanceState.REJECTED, InstanceState.QUARANTINED])
def test_what_is_hidden_is_not_found_at_any_door(
    tier: Tier, asks: Client, state: InstanceState
) -> None:
    tier.store(ct("1.2.3.1.1"))
    tier.reject("1.2.3.1.1", state)
    client = asks("radiologist.RXA")
    hidden = instance("1.2.3.1.1")
    for url in (
        STUDY,
        SERIES,
        hidden,
        f"{STUDY}/metadata",
        f"{hidden}/metadata",
        f"{hidden}/stored",
    ):
        answer = client.get(url, headers={"Accept": "*/*"})
        assert (answer.status_code, answer.json()["error"]) == (404, "NotFound"), url


def test_what_is_announced_and_not_here_is_asked_for_again_later(
    tier: Tier, asks: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    tier.store(ct("1.2.3.1.1"))
    monkeypatch.setattr("archive.index.members._packed", lambda _row, _number: Elsewhere())
    for url in (STUDY, f"{STUDY}/metadata", f"{instance('1.2.3.1.1')}/stored"):
        answer = asks("radiologist.RXA").get(url)
        assert (answer.status_code, answer.json()["error"]) == (503, "NotYetHeld"), url
        assert int(answer.headers["Retry-After"]) > 0
    (study,) = asks("radiologist.RXA").get("/dicom-web/studies").json()
    assert study["00080056"]["Value"] == ["NEARLINE"]


def test_a_delivery_is_written_before_the_octets_go(tier: Tier, asks: Client) -> None:
    tier.store(ct("1.2.3.1.1"), ct("1.2.3.1.2"))
    asks("radiologist.RXA").get(STUDY, headers=AS_STORED)
    assert tier.deliveries() == [
        ("WADO", "radiologist.RXA", "1.2.3.1.1", False),
        ("WADO", "radiologist.RXA", "1.2.3.1.2", False),
    ]


def test_head_tells_the_form_and_delivers_nothing(tier: Tier, asks: Client) -> None:
    tier.store(ct("1.2.3.1.1"))
    client = asks("radiologist.RXA")
    for url in (STUDY, f"{STUDY}/metadata", "/dicom-web/studies"):
        answer = client.head(url)
        assert (answer.status_code, answer.content) == (200, b"")
    assert tier.deliveries() == []


class _Watched:
    """Counts the instances that are open at a time."""

    def __init__(self, tier: Tier) -> None:
        self._read = tier.rows.reader.data_set
        self._lock = threading.Lock()
        self.open = self.most = self.opened = 0

    def data_set(self, outgoing: Outgoing) -> Iterator[bytes]:
        with self._lock:
            self.open += 1
            self.opened += 1
            self.most = max(self.most, self.open)
        try:
            yield from self._read(outgoing)
        finally:
            self.open -= 1


def test_a_study_is_read_one_instance_at_a_time_and_no_faster_than_it_is_taken(
    tier: Tier, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [_large(number) for number in range(1, 13)]
    tier.store(*made)
    watched = _Watched(tier)
    monkeypatch.setattr(tier.rows.reader, "data_set", watched.data_set, raising=False)
    with (
        clients(tier) as asks,
        asks("radiologist.RXA").stream("GET", STUDY, headers=AS_STORED) as answer,
    ):
        octets = answer.iter_raw(65536)
        first = next(octets)
        assert watched.opened < len(made)
        assert len(first) + sum(map(len, octets)) > sum(len(each.octets) for each in made)
    assert (watched.most, watched.opened) == (1, len(made))


def _large(number: int) -> Made:
    return ct(
        f"1.2.3.1.{number}", PixelDataProviderURL="x", Rows=16, EncapsulatedDocument=b"a" * 2**21
    )


def test_a_body_that_cannot_be_finished_is_broken_off_and_never_looks_whole(tier: Tier) -> None:
    tier.store(ct("1.2.3.1.1"), ct("1.2.3.1.2"))
    with clients(tier) as asks:
        _harm_second(tier)
        with pytest.raises(httpx.RemoteProtocolError):
            asks("radiologist.RXA").get(STUDY, headers=AS_STORED)


def _harm_second(tier: Tier) -> None:
    """Cut the pack behind its first instance, as a disk that loses its end would."""
    (pack,) = (tier.directory / "blobs").rglob("*.tar")
    outgoing = tier.rows.reader.select(ASKS_RXA, Selection(sop_uids=("1.2.3.1.2",)))[0]
    _cut(pack, outgoing.location.offset + 100)  # type: ignore[union-attr]


def _cut(path: Path, length: int) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.truncate(length)
