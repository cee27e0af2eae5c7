from dataclasses import replace

import pytest

from archive.clock import milliseconds
from archive.index.directory import resolve_source
from archive.index.engine import Index
from archive.index.journal import chain_is_whole, entries, tallies
from archive.index.patients import LocalPatient
from archive.words.identity import PatientIdentity
from archive.words.nhs import Environment, NhsStatus
from deploy.demo.pas import Feed, Identifier, Person, Report, adt, oru
from local_node.hl7.apply import Arrival, Hl7Intake
from local_node.hl7.findings import SENTENCES, FindingCode
from tests.hl7.node import AT, DOE, FEED, NUMBER, OTHER_NUMBER, RXA, RXAW, Node, Told, a28

REPORT = Report(text="No fracture.", accession="ACC1", study_instance_uid="1.2.3")


# --- patients -------------------------------------------------------------------------------


def test_a_registration_makes_the_trusts_patient(node: Node) -> None:
    applied = node.takes(a28())
    assert node.known("77654033") == LocalPatient(
        identity=PatientIdentity("77654033", RXA),
        name="Doe^Archibald^James",
        birth_date="19560402",
        sex="M",
        postcode="LS1 4AP",
        nhs_number=NUMBER,
        nhs_status="01",
        patient_id=applied.patient_ids[0],
    )
    assert node.told.patients == list(applied.patient_ids)
    assert node.told.arrivals == []
    assert node.rows() == []


@pytest.mark.parametrize("event", ["A01", "A04", "A05", "A08", "A28", "A31"])
def test_each_registering_event_tells_demographics(node: Node, event: str) -> None:
    assert node.takes(adt(event, DOE, feed=FEED)).kind == f"ADT^{event}"
    assert node.known("77654033").name == "Doe^Archibald^James"


@pytest.mark.parametrize("event", ["A01", "A04"])
def test_an_arrival_is_told_with_the_trusts_own_number(node: Node, event: str) -> None:
    applied = node.takes(adt(event, DOE, feed=FEED, control_id="9"))
    expected = Arrival(
        PatientIdentity("77654033", RXA), event, applied.message_key, milliseconds(AT)
    )
    assert applied.arrival == expected
    assert node.told.arrivals == [expected]


def test_the_same_message_twice_changes_nothing_twice(node: Node) -> None:
    message = adt("A01", replace(DOE, name=""), feed=FEED)
    first, second = node.takes(message), node.takes(message)
    assert (first.duplicate, second.duplicate) == (False, True)
    assert second.message_key == first.message_key
    assert len(node.told.patients) == len(node.told.arrivals) == len(node.rows()) == 1
    with node.index.reading() as conn:
        assert len(list(entries(conn, kind="hl7", organisation="RXA"))) == 1


def test_a_control_id_used_again_for_another_message_is_another_message(node: Node) -> None:
    first = node.takes(a28(control_id="1"))
    second = node.takes(a28(replace(DOE, name="Doe^Archie"), control_id="1"))
    assert first.message_key != second.message_key
    assert node.known("77654033").name == "Doe^Archie"


def test_news_that_are_none_are_not_told_to_the_centre(node: Node) -> None:
    node.takes(a28())
    assert node.takes(adt("A08", DOE, feed=FEED)).patient_ids == ()
    assert len(node.told.patients) == 1


def test_what_a_message_leaves_out_stays_and_what_it_nulls_goes(node: Node) -> None:
    node.takes(a28())
    node.takes(adt("A08", replace(DOE, name="", sex='""', postcode=""), feed=FEED))
    patient = node.known("77654033")
    assert (patient.name, patient.sex, patient.postcode) == ("Doe^Archibald^James", "", "LS1 4AP")


def test_numbers_of_both_authorities_of_a_trust_are_patients_of_their_own(node: Node) -> None:
    person = replace(DOE, other_identifiers=(Identifier("5", "RXAW", "MR"),))
    assert len(node.takes(a28(person)).patient_ids) == 2
    assert node.known("77654033").nhs_number == node.known("5", RXAW).nhs_number == NUMBER


def test_one_number_under_two_authorities_is_two_people(node: Node) -> None:
    node.takes(a28())
    node.takes(a28(replace(DOE, authority="RXAW", name="Roe^Jane", nhs_number=OTHER_NUMBER)))
    assert node.known("77654033").name == "Doe^Archibald^James"
    assert node.known("77654033", RXAW).name == "Roe^Jane"


def test_a_number_without_authority_is_of_the_feeds_own(node: Node) -> None:
    feed = Feed(sending_application="WESTPAS", sending_facility="RXAW")
    node.takes(adt("A28", replace(DOE, authority=""), feed=feed))
    assert node.patient("77654033") is None
    assert node.known("77654033", RXAW).name == "Doe^Archibald^James"


def test_the_authority_in_pid_3_counts_more_than_the_feeds_own(node: Node) -> None:
    feed = Feed(sending_application="WESTPAS", sending_facility="RXAW")
    applied = node.takes(adt("A01", DOE, feed=feed))
    assert applied.arrival is not None
    assert applied.arrival.identity.issuer == RXA


def test_an_authority_is_found_by_its_oid(node: Node) -> None:
    octets = a28().octets.replace(b"^^^RXA^MR", b"^^^&1.2.4&ISO^MR")
    node.takes(octets)
    assert node.known("77654033", RXAW).name == "Doe^Archibald^James"


def test_an_arrival_names_the_number_of_the_feeds_own_authority(node: Node) -> None:
    feed = Feed(sending_application="WESTPAS", sending_facility="RXAW")
    person = replace(DOE, other_identifiers=(Identifier("5", "RXAW", "MR"),))
    arrival = node.takes(adt("A04", person, feed=feed)).arrival
    assert arrival is not None
    assert arrival.identity == PatientIdentity("5", RXAW)


@pytest.mark.parametrize("feed", [FEED, Feed(character_set="8859/1"), Feed(character_set="ASCII")])
def test_accents_arrive_whatever_the_character_set(node: Node, feed: Feed) -> None:
    person = replace(DOE, name="Müller-Lüdenscheidt^Zoë")
    told = adt("A28", person, feed=feed)
    node.takes(told if feed.character_set != "ASCII" else replace(told, codec="latin-1"))
    assert node.known("77654033").name == "Müller-Lüdenscheidt^Zoë"
    assert node.codes() == (["CHARSET"] if feed.character_set == "ASCII" else [])


# --- what a person must look at -------------------------------------------------------------


@pytest.mark.parametrize(
    ("person", "code", "saved"),
    [
        (replace(DOE, mrn=""), "NO_PID3", False),
        (replace(DOE, authority="XYZ"), "UNKNOWN_ISSUER", False),
        (replace(DOE, authority="SHARED"), "UNKNOWN_ISSUER", False),
        (replace(DOE, authority="RXB"), "FOREIGN_ISSUER", False),
        (replace(DOE, mrn="9" * 65), "MRN_UNUSABLE", False),
        (replace(DOE, nhs_number="9990000019"), "NHS_CHECK_DIGIT", True),
        (replace(DOE, nhs_number="9999999999"), "NHS_CHECK_DIGIT", True),
        (replace(DOE, nhs_number="12345"), "NHS_MALFORMED", True),
        (replace(DOE, nhs_status="UA"), "NHS_STATUS_UNKNOWN", True),
        (replace(DOE, name=""), "NO_NAME", True),
        (replace(DOE, birth_date="1956-04-02"), "FIELD_UNUSABLE", True),
        (replace(DOE, sex="Q"), "FIELD_UNUSABLE", True),
        (
            replace(DOE, other_identifiers=(Identifier("8", "RXA", "MR"),)),
            "SEVERAL_MRN",
            True,
        ),
        (
            replace(DOE, other_identifiers=(Identifier(OTHER_NUMBER, "NHS", "NH"),)),
            "NHS_SEVERAL",
            True,
        ),
    ],
)
def test_what_is_wrong_is_a_row_for_a_person(
    node: Node, person: Person, code: str, saved: bool
) -> None:
    applied = node.takes(a28(person))
    ((row_code, sentence, subject),) = node.rows()
    assert (row_code, subject) == (code, applied.message_key)
    assert sentence.startswith(SENTENCES[FindingCode(code)][:-1])
    assert (node.patient(person.mrn) is not None) is saved
    if code.startswith("NHS") and code != "NHS_STATUS_UNKNOWN":
        assert (node.known("77654033").nhs_number, node.known("77654033").nhs_status) == ("", "")


def test_an_arrival_of_nobody_known_is_none(node: Node) -> None:
    assert node.takes(adt("A01", replace(DOE, mrn=""), feed=FEED)).arrival is None
    assert node.told.arrivals == []


def test_an_adt_without_pid_is_kept_and_shown(node: Node) -> None:
    node.takes(b"MSH|^~\\&|PAS|RXA|||||ADT^A28|1|P|2.5\rEVN|A28\r")
    assert node.codes() == ["NO_PID3"]


def test_two_patients_in_one_message_are_nobody(node: Node) -> None:
    octets = a28().octets + b"PID|2||8^^^RXA^MR||Roe^Jane\r"
    node.takes(octets)
    assert node.codes() == ["SEVERAL_PATIENTS"]
    assert node.patient("77654033") is None


def test_a_message_without_a_control_id_is_known_by_its_digest(node: Node) -> None:
    octets = a28(control_id="7").octets.replace(b"|7|", b"||", 1)
    assert node.takes(octets).duplicate is False
    assert node.takes(octets).duplicate is True
    assert node.codes() == ["NO_CONTROL_ID"]


def test_no_row_ever_holds_a_patients_value(node: Node) -> None:
    secret = Person(
        mrn="M-QX4711",
        authority="XYZ",
        name="Geheim^Name",
        birth_date="1956-04-QX",
        sex="Q",
        postcode="ZZ9 9ZZ",
        nhs_number="9990000019",
        nhs_status="UA",
    )
    for authority in ("XYZ", "RXA", "RXB"):
        node.takes(a28(replace(secret, authority=authority)))
    said = " ".join(" ".join(row) for row in node.rows())
    assert node.rows()
    # Keys are hexadecimal: what must not be in them holds letters that they cannot hold.
    for value in ("QX4711", "Geheim", "04-QX", "ZZ9", "9990000019", "UA)"):
        assert value not in said


# --- the NHS number -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "status"), [(f"NSTS0{n}", f"0{n}") for n in range(1, 9)] + [("03", "03"), ("", "02")]
)
def test_the_status_is_kept_and_silence_counts_as_02(node: Node, sent: str, status: str) -> None:
    node.takes(a28(replace(DOE, nhs_status=sent)))
    assert node.known("77654033").nhs_status == status


def test_a_feed_may_assert_that_its_silence_means_traced(index: Index) -> None:
    intake = Hl7Intake(Environment.TEST, Told(), absent_status={"PAS|RXA": NhsStatus.VERIFIED})
    node = Node(index, Told(), intake)
    node.takes(a28(replace(DOE, nhs_status="")))
    node.takes(a28(replace(DOE, mrn="8", nhs_status="")), feed="OTHER|RXA")
    assert (node.known("77654033").nhs_status, node.known("8").nhs_status) == ("01", "02")


def test_a_visit_that_is_silent_about_the_number_changes_nothing_about_it(node: Node) -> None:
    node.takes(a28())
    for person in (replace(DOE, nhs_number=""), replace(DOE, nhs_status="")):
        node.takes(adt("A01", person, feed=FEED))
        patient = node.known("77654033")
        assert (patient.nhs_number, patient.nhs_status) == (NUMBER, "01")


def test_another_number_does_not_inherit_the_status(node: Node) -> None:
    node.takes(a28())
    node.takes(adt("A01", replace(DOE, nhs_number=OTHER_NUMBER, nhs_status=""), feed=FEED))
    patient = node.known("77654033")
    assert (patient.nhs_number, patient.nhs_status) == (OTHER_NUMBER, "02")


@pytest.mark.parametrize("event", ["A08", "A31", "A28"])
def test_a_whole_record_without_the_number_withdraws_it(node: Node, event: str) -> None:
    node.takes(a28())
    node.takes(adt(event, replace(DOE, nhs_number=""), feed=FEED))
    patient = node.known("77654033")
    assert (patient.nhs_number, patient.nhs_status) == ("", "")
    assert node.codes() == ["NHS_REMOVED"]


def test_a_persons_number_among_tests_is_refused_and_nothing_is_kept(node: Node) -> None:
    for message in (
        adt("A01", replace(DOE, nhs_number="9434765919"), feed=FEED),
        oru(replace(DOE, nhs_number="943 476 5919"), REPORT, feed=FEED),
    ):
        applied = node.takes(message)
        assert (applied.patient_ids, applied.arrival, applied.document) == ((), None, None)
    assert node.codes() == ["NHS_ENVIRONMENT"] * 2
    assert node.patient("77654033") is None
    assert node.told.arrivals == []


def test_a_test_number_among_people_is_left_out(index: Index) -> None:
    node = Node(index, Told(), Hl7Intake(Environment.LIVE, Told()))
    node.takes(a28())
    node.takes(a28(replace(DOE, mrn="8", nhs_number="9434765919")))
    assert node.known("77654033").nhs_number == ""
    assert node.known("8").nhs_number == "9434765919"
    assert node.codes() == ["NHS_ENVIRONMENT"]


# --- what is not a registration --------------------------------------------------------------


@pytest.mark.parametrize("event", ["A40", "A34", "A24", "A37", "A47", "A43", "A29", "A23"])
def test_a_merge_is_journalled_and_shown_and_moves_nobody(node: Node, event: str) -> None:
    node.takes(a28())
    node.takes(a28(replace(DOE, mrn="8", name="Roe^Jane", nhs_number=OTHER_NUMBER)))
    before = node.known("77654033"), node.known("8")
    octets = a28(control_id="m").octets.replace(b"ADT^A28^ADT_A05", f"ADT^{event}".encode())
    octets = octets.replace(b"Archibald", b"Other") + b"MRG|8^^^RXA^MR\r"
    applied = node.takes(octets)
    assert node.codes() == ["MERGE_NOT_APPLIED"]
    assert (node.known("77654033"), node.known("8")) == before
    assert (applied.patient_ids, len(node.told.patients)) == ((), 2)


@pytest.mark.parametrize("kind", ["ADT^A03", "ADT^A11", "ADT^Z99", "ORM^O01", "SIU^S12", "MDM^T02"])
def test_any_other_message_is_journalled_and_changes_nothing(node: Node, kind: str) -> None:
    octets = a28(control_id="m").octets.replace(b"ADT^A28^ADT_A05", kind.encode())
    assert node.takes(octets).patient_ids == ()
    assert node.patient("77654033") is None
    assert node.rows() == []


def test_every_message_lies_in_the_journal_as_it_came(node: Node) -> None:
    messages = [a28(), adt("A01", DOE, feed=FEED), oru(DOE, REPORT, feed=FEED)]
    keys = [node.takes(message).message_key for message in messages]
    with node.index.reading() as conn:
        kept = list(entries(conn, kind="hl7", organisation="RXA"))
        assert chain_is_whole(conn, kind="hl7", organisation="RXA")
        assert tallies(conn) == {"hl7.ADT": 2, "hl7.ORU": 1}
    assert [(entry.subject, entry.body) for entry in kept] == [
        (key, message.octets) for key, message in zip(keys, messages, strict=True)
    ]


def test_what_cannot_be_read_after_all_is_journalled_and_shown(node: Node) -> None:
    envelope = replace(node.envelope(a28().octets), calling_ae="?", sop_instance_uid="é \r%s")
    with node.index.writing() as conn:
        source = resolve_source(conn, node="RXA", kind="hl7", name="?")
        applied = node.intake.apply(conn, b"\xff\x00no HL7", envelope, source)
    assert node.codes() == ["NOT_HL7"]
    assert applied.message_key.isascii()
    assert applied.message_key.isprintable()


def test_every_finding_has_its_sentence() -> None:
    assert set(SENTENCES) == set(FindingCode)
