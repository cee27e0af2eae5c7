from dataclasses import replace

import pytest
from sqlalchemy import select

from archive.clock import milliseconds
from archive.index import tables
from archive.index.directory import resolve_source
from archive.index.documents import Document, register_document
from archive.index.header import Loose
from archive.words.identity import PatientIdentity
from archive.words.uids import is_uid
from deploy.demo.pas import Person, Report, oru
from local_node.hl7.header import MEDIA_TYPE
from tests.hl7.node import AT, DOE, FEED, RXA, Node

REPORT = Report(text="No fracture.", accession="ACC1", study_instance_uid="1.2.3")


def report_of(node: Node, report: Report = REPORT, person: Person = DOE) -> Document:
    document = node.takes(oru(person, report, feed=FEED)).document
    assert document is not None
    return document


def test_a_report_is_the_message_itself_beside_its_study(node: Node) -> None:
    message = oru(DOE, REPORT, feed=FEED)
    document = node.takes(message).document
    assert document is not None
    assert document.identity == PatientIdentity("77654033", RXA)
    assert document.received_ms == milliseconds(AT)
    assert (document.accession_number, document.study_instance_uid) == ("ACC1", "1.2.3")
    assert (document.media_type, document.charset) == (MEDIA_TYPE, "utf-8")
    assert (document.title, document.report_status) == ("Radiology report", "F")
    assert document.size == len(message.octets)
    assert is_uid(document.document_uid)
    assert node.rows() == []


def test_a_report_changes_no_person(node: Node) -> None:
    report_of(node)
    assert node.patient("77654033") is None
    assert node.told.patients == []


def test_the_same_report_has_the_same_uid_and_another_has_another(node: Node) -> None:
    first = report_of(node)
    second = report_of(node, replace(REPORT, text="Fracture."))
    assert first.document_uid != second.document_uid
    assert first.sha256 != second.sha256


def test_a_corrected_report_replaces_the_one_before_it(node: Node) -> None:
    first = report_of(node)
    _register(node, first)
    second = report_of(node, replace(REPORT, text="Fracture.", status="C"))
    assert (first.replaces, second.replaces) == ("", first.document_uid)
    _register(node, replace(second, received_ms=second.received_ms + 1))
    third = report_of(node, replace(REPORT, text="No, none.", status="C"))
    assert third.replaces == second.document_uid


@pytest.mark.parametrize(
    ("report", "person"),
    [
        (replace(REPORT, accession="ACC2"), DOE),
        (replace(REPORT, procedure="CT"), DOE),
        (REPORT, replace(DOE, mrn="8")),
        (REPORT, replace(DOE, authority="RXAW")),
    ],
)
def test_a_report_on_something_else_replaces_nothing(
    node: Node, report: Report, person: Person
) -> None:
    _register(node, report_of(node))
    assert report_of(node, report, person).replaces == ""


@pytest.mark.parametrize(
    ("report", "person", "code"),
    [
        (replace(REPORT, accession="", study_instance_uid=""), DOE, "NO_STUDY"),
        (replace(REPORT, study_instance_uid="../../etc"), DOE, "STUDY_UID_UNUSABLE"),
        (REPORT, replace(DOE, mrn=""), "NO_PID3"),
    ],
)
def test_a_report_that_lacks_something_is_kept_and_shown(
    node: Node, report: Report, person: Person, code: str
) -> None:
    assert report_of(node, report, person).size
    assert node.codes() == [code]


def test_a_report_on_several_accessions_is_kept_under_the_first(node: Node) -> None:
    octets = oru(DOE, REPORT, feed=FEED).octets + b"OBR|2||ACC9|REP\r"
    document = node.takes(octets).document
    assert document is not None
    assert document.accession_number == "ACC1"
    assert node.codes() == ["SEVERAL_REPORTS"]


def test_a_report_can_be_registered_beside_its_study(node: Node) -> None:
    _register(node, report_of(node))
    columns = tables.instance.c
    with node.index.reading() as conn:
        row = conn.execute(select(tables.instance)).one()
        study = conn.execute(select(tables.study)).one()
    assert row._mapping[columns.transfer_syntax] == MEDIA_TYPE
    assert (study.study_instance_uid, study.mrn) == ("1.2.3", "77654033")


def _register(node: Node, document: Document) -> None:
    """Register as intake does."""
    with node.index.writing() as conn:
        registered = register_document(
            conn,
            document,
            source=resolve_source(conn, node="RXA", kind="hl7", name="*"),
            location=Loose("0" * 32, 100, document.size, 0),
            calling="PAS|RXA",
            called="IMAGESTORE",
            at_ms=document.received_ms,
        )
    assert registered
