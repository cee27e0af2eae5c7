import pytest

from local_node.hl7.message import Message, read_message
from local_node.hl7.patient import Identifier, PatientFields

HEAD = "MSH|^~\\&|PAS|RXA|||||{kind}|1|P|2.5||||||UNICODE UTF-8\r"


def read(*segments: str, kind: str = "ADT^A28") -> Message:
    return read_message((HEAD.format(kind=kind) + "\r".join(segments)).encode())


def segment(name: str, fields: dict[int, str]) -> str:
    last = max(fields, default=0)
    return "|".join([name, *(fields.get(number, "") for number in range(1, last + 1))])


def pid(fields: dict[int, str]) -> PatientFields:
    told = read(segment("PID", fields))
    assert told.patient is not None
    return told.patient


def test_every_repeat_of_pid_3_keeps_its_authority() -> None:
    read = pid({3: '007^^^RXA&1.2.3&ISO^MR~9990000018^^^NHS^nh~~""^^^RXB^MR'})
    assert read.identifiers == (
        Identifier("007", "RXA", "1.2.3", "MR"),
        Identifier("9990000018", "NHS", "", "NH"),
    )


@pytest.mark.parametrize(
    ("repeat", "nhs", "local"),
    [
        ("1^^^RXA^MR", False, True),
        ("1^^^RXA^PI", False, True),
        ("1^^^RXA", False, True),
        ("1", False, True),
        ("1^^^RXA^VN", False, False),
        ("1^^^RXA^AN", False, False),
        ("1^^^NHS^NH", True, False),
        ("1^^^NHS", True, False),
        ("1^^^nhs^MR", True, False),
        ("1^^^^NH", True, False),
        ("1^^^RXA^NH", True, False),
        ("1^^^&2.16.840.1.113883.2.1.4.1&ISO", True, False),
        ("1^^^CHI^NH", False, False),
    ],
)
def test_nhs_numbers_and_local_numbers_are_told_apart(repeat: str, nhs: bool, local: bool) -> None:
    (identifier,) = pid({3: repeat}).identifiers
    assert (identifier.is_nhs, identifier.may_be_local) == (nhs, local)


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("Doe^Peter", "Doe^Peter"),
        ("Doe^Peter^James^Jr^Dr", "Doe^Peter^James^Dr^Jr"),
        ("van der Berg&van der&Berg^Anna", "van der Berg^Anna"),
        ("Müller-Lüdenscheidt^Zoë", "Müller-Lüdenscheidt^Zoë"),
        ("O\\T\\Brien^Pat", "O Brien^Pat"),
        ("Smith^Ann^^^^^M~Jones^Ann^^^^^L", "Jones^Ann"),
        ("Smith^Ann^^^^^A~Jones^Ann", "Jones^Ann"),
        (
            "Yamada^Tarou^^^^^L^A~山田^太郎^^^^^L^I~やまだ^たろう^^^^^L^P",
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
        ),
        ("Doe", "Doe"),
        ("", None),
        ("^^^^^^L", None),
        ('""', ""),
    ],
)
def test_a_name_becomes_a_person_name_of_dicom(sent: str, name: str | None) -> None:
    assert pid({5: sent}).name == name


@pytest.mark.parametrize(
    ("sent", "birth_date", "usable"),
    [
        ("19560402", "19560402", True),
        ("195604021530", "19560402", True),
        ("19560402153000.123+0100", "19560402", True),
        ("1956", "1956", True),
        ("195604", "195604", True),
        ("", None, True),
        ('""', "", True),
        ("19561302", "", False),
        ("19560230", "", False),
        ("02/04/1956", "", False),
        ("1956-04-02", "", False),
        ("unknown", "", False),
        ("19560402x", "", False),
        ("00000000", "", False),
    ],
)
def test_a_birth_date_is_a_date_or_nothing(sent: str, birth_date: str | None, usable: bool) -> None:
    read = pid({7: sent})
    assert read.birth_date == birth_date
    assert ("PID-7" in read.unusable) is not usable


@pytest.mark.parametrize(
    ("sent", "sex"),
    [
        *{"M": "M", "f": "F", "O": "O", "A": "O", "N": "O", "U": "", "X": ""}.items(),
        *{"1": "M", "2": "F", "9": "O", "0": "", '""': ""}.items(),
        ("", None),
        ("Q", ""),
    ],
)
def test_a_sex_becomes_a_sex_of_dicom(sent: str, sex: str | None) -> None:
    read = pid({8: sent})
    assert read.sex == sex
    assert read.unusable == (("PID-8",) if sent == "Q" else ())


@pytest.mark.parametrize(
    ("sent", "postcode"),
    [
        ("1 Road^^Town^^ls1  4ap^GBR^H", "LS1 4AP"),
        ("^^^^B1 1AA^^C~^^^^LS1 4AP^^H", "LS1 4AP"),
        ("^^^^B1 1AA^^C", "B1 1AA"),
        ("1 Road", None),
        ('^^^^""^^H', ""),
    ],
)
def test_the_postcode_is_that_of_the_home(sent: str, postcode: str | None) -> None:
    assert pid({11: sent}).postcode == postcode


def test_what_is_too_long_for_a_name_or_a_postcode_is_neither() -> None:
    read = pid({5: "D" * 1025, 11: f"^^^^{'L' * 65}^^H"})
    assert (read.name, read.postcode) == ("", "")
    assert read.unusable == ("PID-5", "PID-11")


@pytest.mark.parametrize(
    ("sent", "status"),
    [("NSTS01", "NSTS01"), ("01", "01"), ("UA~NSTS02", "NSTS02"), ("UA", "UA"), ("", None)],
)
def test_the_status_is_the_repeat_that_is_one(sent: str, status: str | None) -> None:
    assert pid({32: sent}).nhs_status == status


PV1 = {2: "i", 3: "WARD7^1^2^RXA", 14: "51", 37: "RXB", 42: "ICU^1", 44: "202405011200"}


def test_a_visit_tells_what_prefetch_will_ask() -> None:
    told = read(
        "EVN|A04||20240502",
        "PID|1||7^^^RXA^MR",
        segment("PV1", PV1),
        segment("PV2", {8: "20240503"}),
        kind="ADT^A04",
    )
    assert told.visit is not None
    assert (told.visit.patient_class, told.visit.location, told.visit.facility) == (
        "I",
        "WARD7",
        "RXA",
    )
    assert told.visit.admit_source == "51"
    assert told.visit.discharged_to == "RXB"
    assert told.visit.pending_location == "ICU"
    assert told.visit.admitted_at == "202405011200"
    assert told.visit.expected_at == "20240503"


def test_the_event_is_that_of_msh_else_of_evn() -> None:
    assert read("EVN|A08", kind="ADT^A28").event == "A28"
    assert read("EVN|A08", kind="ADT").event == "A08"
    assert read("EVN|A08", kind="ORM^O01").event == ""


def oru(*segments: str) -> Message:
    return read("PID|1||7^^^RXA^MR", *segments, kind="ORU^R01")


def test_a_report_tells_its_study_its_state_and_its_text() -> None:
    report = oru(
        "OBR|1|PL|FI|REP^Chest X-ray^L||||||||||||||ACC1|||||||F",
        "OBX|1|HD|113014^DICOM Study^DCM||1.2.3.4||||||F",
        "OBX|2|FT|18748-4^Report^LN||No fracture.\\.br\\No effusion.~Signed.||||||F",
        "OBX|3|NM|1^Score^L||7||||||F",
    ).report
    assert report is not None
    assert (report.title, report.status) == ("Chest X-ray", "F")
    assert (report.accession, report.accessions) == ("ACC1", ("ACC1",))
    assert report.study_instance_uid == "1.2.3.4"
    assert report.text == "No fracture.\nNo effusion.\nSigned."


@pytest.mark.parametrize(
    ("obr", "accession"),
    [
        ("OBR|1|PL|FI|REP||||||||||||||ACC", "ACC"),
        ("OBR|1|PL|FI^RIS|REP", "FI"),
        ("OBR|1|PL||REP", "PL"),
        ('OBR|1|PL|FI|REP||||||||||||||""', "FI"),
        ("OBR|1||", ""),
    ],
)
def test_the_accession_number_is_in_obr_18_else_3_else_2(obr: str, accession: str) -> None:
    report = oru(obr).report
    assert report is not None
    assert report.accession == accession


@pytest.mark.parametrize(
    "segment",
    [
        "OBX|1|HD|113014^DICOM Study^DCM||1.2.3||||||F",
        "OBX|1|ST|110180^Study Instance UID^DCM||1.2.3||||||F",
        "OBX|1|ST|X^Study Instance UID^L||1.2.3||||||F",
        "OBX|1|ST|Study Instance UID||1.2.3||||||F",
        "ZDS|1.2.3^PACS^Application^DICOM",
    ],
)
def test_the_study_uid_is_found_where_senders_put_it(segment: str) -> None:
    report = oru("OBR|1||FI", segment).report
    assert report is not None
    assert report.study_instance_uid == "1.2.3"
    assert report.text == ""


def test_a_study_uid_that_is_none_is_told_and_not_taken() -> None:
    report = oru("OBR|1||FI", "ZDS|../../etc/passwd").report
    assert report is not None
    assert (report.study_instance_uid, report.study_uid_unusable) == ("", True)


@pytest.mark.parametrize(
    ("segments", "status"),
    [
        (["OBR|1||FI" + "|" * 22 + "C", "OBX|1|TX|||x||||||F"], "C"),
        (["OBR|1||FI", "OBX|1|TX|||x||||||p"], "P"),
        (["OBR|1||FI" + "|" * 22 + "?"], ""),
    ],
)
def test_the_status_is_in_obr_25_else_in_obx_11(segments: list[str], status: str) -> None:
    report = oru(*segments).report
    assert report is not None
    assert report.status == status


def test_only_results_hold_a_report() -> None:
    assert read("PID|1", "OBR|1||FI", kind="ORM^O01").report is None


def test_a_person_is_in_no_repr() -> None:
    told = read("PID|1||4711^^^RXA^MR||Geheim^Name||19560402|M|||^^^^LS1 4AP")
    for value in (told, told.patient, *(told.patient.identifiers if told.patient else ())):
        assert not {"4711", "Geheim", "19560402", "LS1"} & set(
            repr(value).replace("'", " ").split()
        )
        assert "Geheim" not in repr(value)
