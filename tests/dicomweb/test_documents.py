import hashlib

from archive.index.directory import resolve_source
from archive.index.documents import Document, register_document
from archive.index.header import Loose
from archive.store.disk import RealDisk
from archive.store.segment import Envelope, RecordKind
from archive.store.spool import Spool, SpoolReader
from archive.words.identity import PatientIdentity
from tests.dicomweb.conftest import Client
from tests.dicomweb.objects import ct
from tests.dicomweb.tier import Tier
from tests.index.builders import RXA

REPORT = "MSH|^~\\&|RIS|RXA\rOBX|1|TX|||Unauffällig".encode()
MEDIA_TYPE = "x-application/hl7-v2+er7"
DOCUMENTS = "/dicom-web/studies/1.2.3/documents"
DIGEST = hashlib.sha256(REPORT).digest()


def take_report(tier: Tier) -> None:
    clock = tier.rows.clock
    spool = Spool(tier.directory / "spool", disk=RealDisk(), clock=clock, floor_bytes=0)
    said = Envelope("m1", 0, "PAS", "RXA", "127.0.0.1:2", clock.now(), MEDIA_TYPE, "", "1")
    writer = spool.writer()
    writer.append(RecordKind.HL7, said, [REPORT])
    writer.hand_over()
    reader = SpoolReader(tier.directory / "spool")
    (segment,) = reader.ready()
    (record,) = reader.records(segment)
    document = Document(
        document_uid="2.25.7",
        identity=PatientIdentity("1234", RXA),
        sha256=DIGEST,
        size=len(REPORT),
        media_type=MEDIA_TYPE,
        charset="utf-8",
        study_instance_uid="1.2.3",
        title="CT report",
        report_status="F",
        received_ms=1_700_000_000_123,
    )
    with tier.rows.index.writing() as conn:
        source = resolve_source(conn, node="RXA", kind="dicom", name="*")
        location = Loose(segment, record.offset, record.length, 0)
        register_document(
            conn,
            document,
            source=source,
            location=location,
            calling="PAS",
            called="RXA",
            at_ms=tier.rows.now_ms,
        )


def test_the_documents_beside_a_study_are_listed(tier: Tier, asks: Client) -> None:
    tier.store(ct("1.2.3.1.1"))
    client = asks("radiologist.RXA")
    assert client.get(DOCUMENTS).json() == []
    take_report(tier)
    assert client.get(DOCUMENTS).json() == [
        {
            "uid": "2.25.7",
            "title": "CT report",
            "status": "F",
            "custodian": "RXA",
            "media_type": MEDIA_TYPE,
            "charset": "utf-8",
            "received": "2023-11-14T22:13:20.123+00:00",
            "size": len(REPORT),
            "sha256": DIGEST.hex(),
        }
    ]


def test_a_document_comes_back_as_it_was_received(tier: Tier, asks: Client) -> None:
    tier.store(ct("1.2.3.1.1"))
    take_report(tier)
    answer = asks("radiologist.RXA").get(f"{DOCUMENTS}/2.25.7")
    assert answer.content == REPORT
    assert answer.headers["Content-Type"] == f"{MEDIA_TYPE}; charset=utf-8"
    assert answer.headers["ETag"] == f'"{DIGEST.hex()}"'
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["Content-Security-Policy"]


def test_what_is_not_there_is_not_found(tier: Tier, asks: Client) -> None:
    tier.store(ct("1.2.3.1.1"))
    client = asks("radiologist.RXA")
    assert client.get(f"{DOCUMENTS}/2.25.8").status_code == 404
    assert client.get("/dicom-web/studies/1.2.9/documents").status_code == 404


def test_a_report_names_the_patient_so_a_trust_without_a_number_does_not_get_it(
    tier: Tier, asks: Client
) -> None:
    tier.store(ct("1.2.3.1.1"))
    take_report(tier)
    client = asks("radiologist.RXC")

    for path in (DOCUMENTS, f"{DOCUMENTS}/2.25.7"):
        refused = client.get(path)
        assert refused.status_code == 403
        assert refused.json()["error"] == "NoLocalNumber"
        assert b"RXA" not in refused.content
