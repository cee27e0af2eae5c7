from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from archive.states import LinkState
from tests.dicomweb.conftest import Client, clients, made_tier
from tests.dicomweb.objects import ct
from tests.dicomweb.tier import Tier
from tests.index.builders import RXA, RXB

STUDIES = "/dicom-web/studies"


def fill(tier: Tier) -> None:
    """Store two studies of RXA: one of two series, one of another patient."""
    tier.store(
        ct("1.2.3.1.1"),
        ct("1.2.3.1.2"),
        ct("1.2.3.2.1", series="1.2.3.2", Modality="SR", SeriesDescription="Dose"),
        ct(
            "1.2.4.1.1",
            study="1.2.4",
            series="1.2.4.1",
            PatientID="777",
            PatientName="Müller^Ève",
            StudyDate="20230101",
        ),
    )


@pytest.fixture(scope="module")
def asks_all(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Client]:
    """Clients of a tier that these tests share, and none changes."""
    tier = made_tier(tmp_path_factory.mktemp("tier"), migrated)
    fill(tier)
    with clients(tier) as client:
        yield client


@pytest.fixture
def held(tier: Tier) -> Tier:
    fill(tier)
    return tier


def values(response: httpx.Response, tag: str) -> list[object]:
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "application/dicom+json"
    return [match[tag]["Value"][0] for match in response.json()]


def test_a_study_is_found_by_the_askers_own_patient_number(asks_all: Client) -> None:
    answer = asks_all("radiologist.RXA").get(STUDIES, params={"PatientID": "1234"})
    assert values(answer, "0020000D") == ["1.2.3"]


def test_a_study_shows_what_the_standard_asks_for_as_far_as_it_is_known(asks_all: Client) -> None:
    client = asks_all("radiologist.RXA")
    (study,) = client.get(STUDIES, params={"StudyInstanceUID": "1.2.3"}).json()
    assert study["00080005"] == {"vr": "CS", "Value": ["ISO_IR 192"]}
    assert study["00080020"] == {"vr": "DA", "Value": ["20240105"]}
    assert study["00080030"] == {"vr": "TM", "Value": ["101500"]}
    assert study["00080050"] == {"vr": "SH", "Value": ["A1"]}
    assert study["00080056"] == {"vr": "CS", "Value": ["ONLINE"]}
    assert study["00080061"] == {"vr": "CS", "Value": ["CT", "SR"]}
    assert study["00080090"] == {"vr": "PN"}
    assert study["00081190"] == {
        "vr": "UR",
        "Value": [f"{client.base_url}/dicom-web/studies/1.2.3"],
    }
    assert study["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "Doe^Archibald"}]}
    assert study["00100020"] == {"vr": "LO", "Value": ["1234"]}
    assert study["00100021"] == {"vr": "LO", "Value": ["RXA"]}
    assert study["00100030"] == {"vr": "DA", "Value": ["19560402"]}
    assert study["00100040"] == {"vr": "CS", "Value": ["M"]}
    assert study["00200010"] == {"vr": "SH", "Value": ["S1"]}
    assert study["00201206"] == {"vr": "IS", "Value": [2]}
    assert study["00201208"] == {"vr": "IS", "Value": [3]}
    assert list(study) == sorted(study)


def test_series_and_instances_are_found_by_all_six_resources(asks_all: Client) -> None:
    client = asks_all("radiologist.RXA")
    everything = {
        "/studies": {"1.2.3", "1.2.4"},
        "/studies/1.2.3/series": {"1.2.3.1", "1.2.3.2"},
        "/studies/1.2.3/series/1.2.3.1/instances": {"1.2.3.1.1", "1.2.3.1.2"},
        "/series": {"1.2.3.1", "1.2.3.2", "1.2.4.1"},
        "/studies/1.2.3/instances": {"1.2.3.1.1", "1.2.3.1.2", "1.2.3.2.1"},
        "/instances": {"1.2.3.1.1", "1.2.3.1.2", "1.2.3.2.1", "1.2.4.1.1"},
    }
    for path, uids in everything.items():
        tag = {"studies": "0020000D", "series": "0020000E", "instances": "00080018"}
        answer = client.get(f"/dicom-web{path}")
        assert set(values(answer, tag[path.rpartition("/")[2]])) == uids, path


def test_a_series_of_a_named_study_shows_no_patient_and_one_of_any_study_does(
    asks_all: Client,
) -> None:
    client = asks_all("radiologist.RXA")
    (named,) = client.get(f"{STUDIES}/1.2.3/series", params={"Modality": "SR"}).json()
    (any_study,) = client.get("/dicom-web/series", params={"Modality": "SR"}).json()
    assert "00100010" not in named
    assert any_study["00100010"]["Value"] == [{"Alphabetic": "Doe^Archibald"}]
    assert named["00081190"]["Value"][0].endswith("/studies/1.2.3/series/1.2.3.2")
    assert named["0008103E"]["Value"] == ["Dose"]
    assert named["00201209"]["Value"] == [1]


def test_an_instance_names_its_class_its_syntax_and_where_to_retrieve_it(asks_all: Client) -> None:
    path = f"{STUDIES}/1.2.3/series/1.2.3.1/instances"
    first, _ = asks_all("radiologist.RXA").get(path).json()
    assert first["00080016"]["Value"] == ["1.2.840.10008.5.1.4.1.1.2"]
    assert first["00083002"]["Value"] == ["1.2.840.10008.1.2.1"]
    assert first["00081190"]["Value"][0].endswith("/series/1.2.3.1/instances/1.2.3.1.1")


def test_keys_may_be_named_by_tag_and_values_may_be_ranges_wildcards_and_lists(
    asks_all: Client,
) -> None:
    client = asks_all("radiologist.RXA")
    for query in (
        "00100010=M%C3%BCller*",
        "PatientName=muller^eve",
        "StudyDate=20220101-20231231",
        "00080020=-20231231",
        "StudyInstanceUID=1.2.4,1.2.99",
        "StudyInstanceUID=1.2.4&StudyInstanceUID=1.2.99",
    ):
        assert values(client.get(f"{STUDIES}?{query}"), "0020000D") == ["1.2.4"], query


def test_limit_and_offset_cut_a_list_that_keeps_its_order(asks_all: Client) -> None:
    client = asks_all("radiologist.RXA")
    assert values(client.get(STUDIES), "0020000D") == ["1.2.3", "1.2.4"]
    assert values(client.get(f"{STUDIES}?limit=1"), "0020000D") == ["1.2.3"]
    assert values(client.get(f"{STUDIES}?limit=1&offset=1"), "0020000D") == ["1.2.4"]
    assert values(client.get(f"{STUDIES}?limit=0"), "0020000D") == []


def test_includefield_adds_attributes_and_all_adds_every_one(asks_all: Client) -> None:
    client = asks_all("radiologist.RXA")
    path = f"{STUDIES}/1.2.3/series"
    plain = client.get(path).json()[0]
    named = client.get(f"{path}?includefield=00100010,BodyPartExamined").json()[0]
    every = client.get(f"{path}?includefield=all").json()[0]
    assert named.keys() - plain.keys() == {"00100010", "00180015"}
    assert every.keys() > named.keys()


def test_nothing_found_is_an_empty_array(asks_all: Client) -> None:
    answer = asks_all("radiologist.RXA").get(STUDIES, params={"PatientID": "nobody"})
    assert (answer.status_code, answer.json()) == (200, [])


@pytest.mark.parametrize(
    "query",
    [
        "colour=red",
        "PatientName=a&PatientName=b",
        "PatientName=a&00100010=b",
        "limit=-1",
        "limit=1&limit=2",
        "offset=two",
        "StudyDate=yesterday",
        "includefield=Nonsense",
        "fuzzymatching=maybe",
    ],
)
def test_a_query_that_makes_no_sense_is_refused(asks_all: Client, query: str) -> None:
    answer = asks_all("radiologist.RXA").get(f"{STUDIES}?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"] == "InvalidQuery"


def test_what_a_search_did_not_do_is_said_in_a_warning(asks_all: Client) -> None:
    query = "fuzzymatching=true&InstitutionName=Leeds&RequestAttributesSequence.StudyID=1"
    answer = asks_all("radiologist.RXA").get(f"{STUDIES}?{query}")
    warnings = answer.headers.get_list("Warning")
    assert len(answer.json()) == 2
    assert warnings[0] == (
        f'299 {answer.url.scheme}://{answer.url.netloc.decode()}/dicom-web: "The fuzzymatching '
        'parameter is not supported. Only literal matching has been performed."'
    )
    assert "InstitutionName is not matched" in warnings[1]
    assert "RequestAttributesSequence.StudyID is not matched" in warnings[2]


def test_an_operator_must_say_whose_patient_number_he_asks_for(asks_all: Client) -> None:
    client = asks_all("operator")
    bare = client.get(STUDIES, params={"PatientID": "1234"})
    assert (bare.status_code, bare.json()["error"]) == (400, "NoAuthority")
    named = {"PatientID": "1234", "IssuerOfPatientID": "RXA"}
    assert values(client.get(STUDIES, params=named), "0020000D") == ["1.2.3"]


def test_another_trust_finds_a_linked_patient_under_its_own_number(
    held: Tier, asks: Client
) -> None:
    rows = held.rows
    theirs = rows.patient("B-9", RXB, "Doe^Archie")
    rows.link(rows.patient("1234", RXA), theirs, LinkState.CONFIRMED)
    (study,) = asks("radiologist.RXB").get(STUDIES, params={"PatientID": "B-9"}).json()
    assert study["00100020"]["Value"] == ["B-9"]
    assert study["00100021"]["Value"] == ["RXB"]
    assert study["00100010"]["Value"] == [{"Alphabetic": "Doe^Archie"}]


def test_a_trust_without_a_number_for_the_person_sees_whose_number_it_is(asks_all: Client) -> None:
    answer = asks_all("radiologist.RXC").get(f"{STUDIES}?StudyInstanceUID=1.2.3")
    (study,) = answer.json()
    assert (study["00100020"]["Value"], study["00100021"]["Value"]) == (["1234"], ["RXA"])
    assert asks_all("radiologist.RXC").get(STUDIES, params={"PatientID": "1234"}).json() == []


def test_what_is_rejected_is_neither_found_nor_counted(held: Tier, asks: Client) -> None:
    held.reject("1.2.3.1.1")
    client = asks("radiologist.RXA")
    answer = client.get(f"{STUDIES}/1.2.3/series/1.2.3.1/instances")
    assert values(answer, "00080018") == ["1.2.3.1.2"]
    (study,) = client.get(f"{STUDIES}?StudyInstanceUID=1.2.3").json()
    assert study["00201208"]["Value"] == [2]


def test_only_dicom_json_is_given(asks_all: Client) -> None:
    client = asks_all("radiologist.RXA")
    xml = client.get(STUDIES, headers={"Accept": 'multipart/related; type="application/dicom+xml"'})
    assert xml.status_code == 406
    assert client.get(STUDIES, headers={"Accept": "application/json"}).status_code == 200


def test_a_path_that_is_no_uid_is_refused(asks_all: Client) -> None:
    answer = asks_all("radiologist.RXA").get(f"{STUDIES}/..%2f..%2fetc/series")
    assert answer.status_code in (400, 404)
    bad = asks_all("radiologist.RXA").get(f"{STUDIES}/1.2.x/series")
    assert (bad.status_code, bad.json()["error"]) == (400, "InvalidUid")
