"""A whole region under its own supervisor: whatever is killed comes again, and no log tells whom.

The region of `imagestore region up`, tied to this test; its children are killed by their numbers.
"""

import json
import os
import signal
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from deploy.demo.modality import Modality, WireObject
from deploy.demo.pas import Feed, Message, MllpClient, Person, Report, adt, oru
from deploy.demo.rejection import part10, rejection_note
from deploy.demo.workstation import Workstation
from deploy.region.directory import read_json
from deploy.region.launch import tied_region
from deploy.region.options import Peer, RegionOptions
from tests.faults.objects import called, image, images, new_mrn, new_nhs_number, new_uid
from tests.faults.regions import CONFIRMED, assert_all_success
from tests.faults.tiers import Archive, wait_for_each
from tests.peers.processes import LOOPBACK, wait_until
from tests.peers.scp import RecordingScp


class Supervised:
    """A region that is up, by what it published."""

    def __init__(self, root: Path, published: Any) -> None:
        self.root = root
        self.published = published
        self.centre = Archive(root / "central")
        self.nodes = {trust: Archive(root / "trusts" / trust) for trust in ("RXA", "RXB")}

    def modality(self, trust: str, ae_title: str = "CT1") -> Modality:
        door = self.published["trusts"][trust]["dicom"]
        return Modality(ae_title, door["host"], door["port"], called=door["ae_title"])

    def workstation(self, trust: str) -> Workstation:
        door = self.published["trusts"][trust]["dicom"]
        return Workstation("WS", door["host"], door["port"], called=door["ae_title"])

    def send(self, trust: str, *messages: Message | bytes) -> list[str]:
        door = self.published["trusts"][trust]["mllp"]
        with MllpClient(door["host"], door["port"]) as pas:
            return [pas.send(message).code for message in messages]

    def get(self, tier: str, path: str, *, user: str) -> int:
        """Return the status of a GET at ``CENTRE`` or a trust's node."""
        told = self.published
        base = told["central"] if tier == "CENTRE" else told["trusts"][tier]
        headers = {
            "Authorization": f"Bearer {told['tokens'].get(user, 'nobody')}",
            "Accept": "application/dicom+json, */*",
        }
        request = urllib.request.Request(base["http"] + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                answer.read()
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def child(self, name: str) -> dict[str, Any]:
        children: Any = read_json(self.root / "status.json")["children"]
        return next(one for one in children if one["name"] == name)

    def kill(self, name: str) -> None:
        """Kill a child and wait until the supervisor has it ready again."""
        before = self.child(name)
        os.kill(before["pid"], signal.SIGKILL)

        def is_back() -> bool:
            now = self.child(name)
            return bool(now["state"] == "READY" and now["restarts"] > before["restarts"])

        wait_until(is_back, what=f"{name} is ready again", seconds=40)

    def is_replicated(self, one: WireObject) -> bool:
        copies = self.nodes["RXA"].copies(one.sop_instance_uid)
        return copies.get("centre") == CONFIRMED and self.centre.holds(one)

    def wait_replicated(self, objects: Sequence[WireObject]) -> None:
        wait_for_each(objects, self.is_replicated, what="all is at the centre", seconds=60)

    def logs(self) -> dict[str, str]:
        """Return every line that any process of the region has written, by file."""
        files = sorted((self.root / "log").iterdir())
        return {file.name: file.read_text(errors="replace") for file in files}


@pytest.fixture(scope="module")
def pacs() -> Iterator[RecordingScp]:
    with RecordingScp("PACS_B") as running:
        yield running


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory, pacs: RecordingScp) -> Iterator[Supervised]:
    root = tmp_path_factory.mktemp("supervised")
    peer = Peer("RXB", "PACS_B", LOOPBACK, pacs.endpoint.port)
    options = RegionOptions(directory=root, trusts=("RXA", "RXB"), peers=(peer,))
    with tied_region(options) as published:
        yield Supervised(root, published)


@pytest.mark.parametrize(
    "name", ["valkey", "central.serve", "central.work", "RXA.receive", "RXA.work"]
)
def test_whoever_is_killed_comes_again_and_everything_ends_replicated_once(
    region: Supervised, name: str
) -> None:
    before, after = images(3), images(3)
    assert_all_success(region.modality("RXA").store(before))

    region.kill(name)

    assert_all_success(region.modality("RXA").store(after))
    region.wait_replicated([*before, *after])
    for one in (*before, *after):
        assert len(region.centre.holdings(one.sop_instance_uid)) == 1
    jobs = region.nodes["RXA"].rows("job", kind="replicate")
    keys = [row["idempotency_key"] for row in jobs]
    assert len(keys) == len(set(keys))


# --- the logs -------------------------------------------------------------------------------

WILMA = Person(
    mrn=new_mrn(),
    authority="RXA",
    name="Zwölfendîn^Quirîna",
    birth_date="19230405",
    sex="F",
    postcode="ZE3 9JW",
    nhs_number=new_nhs_number(),
)
WILMA_AT_RXB = replace(WILMA, mrn=new_mrn(), authority="RXB")
UTF8 = Feed(character_set="UNICODE UTF-8")
HUGO = Person(new_mrn(), "RXA", name="Xanthippos^Hugobert", birth_date="19170809", sex="M")


def told_of(person: Person) -> list[str]:
    """Return what must be in no log: numbers, names, dates, however they are written."""
    born = person.birth_date
    forms = [born, f"{born[:4]}-{born[4:6]}-{born[6:]}"]
    names = [part for part in person.name.split("^") if part]
    written = [ascii(name)[1:-1] for name in names]
    quoted = [urllib.parse.quote(name) for name in names]
    known = [person.mrn, person.nhs_number, person.postcode, *forms, *names, *written, *quoted]
    return [text for text in known if text]


def a_storys_worth(region: Supervised, pacs: RecordingScp) -> None:
    """Send through every door what names people, well-formed and otherwise."""
    study = new_uid()
    prior = images(
        3,
        mrn=WILMA.mrn,
        study=study,
        name=WILMA.name,
        birth_date=WILMA.birth_date,
        SpecificCharacterSet="ISO_IR 192",
    )
    report = Report(text=f"{WILMA.name} is well.", accession="A77", study_instance_uid=study)
    told = adt("A28", WILMA, feed=UTF8), oru(WILMA, report, feed=UTF8)
    assert region.send("RXA", *told) == ["AA", "AA"]
    assert_all_success(region.modality("RXA").store(prior))
    region.wait_replicated(prior)
    assert region.send("RXB", adt("A04", WILMA_AT_RXB, feed=UTF8)) == ["AA"]
    region.nodes["RXB"].wait_holds(prior)
    ask_everywhere(region, study)
    moved = region.workstation("RXB").move(
        "STUDY", {"StudyInstanceUID": study}, destination="PACS_B"
    )
    assert moved.completed == len(prior)
    last = pacs.received[-1]
    back = replace(prior[0], data_set=last.data_set, sop_instance_uid=last.sop_instance_uid)
    region.modality("RXB", "PACS_B").store([back])
    send_what_is_wrong(region)


def ask_everywhere(region: Supervised, study: str) -> None:
    keys = {"PatientID": WILMA_AT_RXB.mrn, "PatientName": "", "StudyInstanceUID": ""}
    assert len(region.workstation("RXB").find("STUDY", keys).matches) == 1
    by_name = {"PatientName": WILMA.name.split("^")[0] + "*", "PatientBirthDate": "19230405"}
    region.workstation("RXA").find("STUDY", {**by_name, "SpecificCharacterSet": "ISO_IR 192"})
    wrong = {"StudyDate": WILMA.mrn, "PatientID": WILMA.mrn}
    region.workstation("RXA").find("STUDY", wrong)
    region.workstation("RXA").find(WILMA.mrn, {"PatientID": WILMA.mrn})
    name = urllib.parse.quote(WILMA.name)
    for tier, user in (("CENTRE", "radiologist.RXA"), ("RXA", "radiologist.RXA")):
        for query in (
            f"?PatientID={WILMA.mrn}&PatientName={name}",
            f"?PatientBirthDate={WILMA.birth_date}&limit={WILMA.mrn}",
            f"?StudyDate={WILMA.mrn}",
            f"/{WILMA.mrn}/series",
            f"/{study}/metadata",
            f"/{study}/documents",
            f"?IssuerOfPatientID={WILMA.mrn}&PatientID=1",
        ):
            region.get(tier, f"/dicom-web/studies{query}", user=user)
            region.get(tier, f"/dicom-web/studies{query}", user="nobody")
        region.get(tier, f"/{WILMA.mrn}?name={name}", user=user)
        region.get(tier, f"/?token={WILMA.mrn}", user=user)
        region.get(tier, "/", user="operator")


def send_what_is_wrong(region: Supervised) -> None:
    wrong_digit = replace(HUGO, nhs_number="9990000001")
    latin = replace(adt("A28", WILMA), codec="latin-1")
    nobody = replace(HUGO, authority=HUGO.mrn)
    merge = adt("A31", HUGO)
    merge = replace(merge, text=merge.text.replace("ADT^A31^ADT_A05", "ADT^A40^ADT_A39"))
    messages = [adt("A28", wrong_digit), latin, adt("A28", nobody), merge]
    assert region.send("RXA", *messages) == ["AA"] * 4
    naked = adt("A28", HUGO).octets
    assert region.send("RXA", naked[naked.index(b"PID") :]) == ["AR"]
    sop, of = (
        new_uid(),
        partial(
            image,
            mrn=HUGO.mrn,
            name=HUGO.name,
            birth_date=HUGO.birth_date,
            study=new_uid(),
            series=new_uid(),
        ),
    )
    first, other = of(sop=sop), of(sop=sop, pixels=bytes(64 * 64 * 2))
    strangers = of(mrn=WILMA.mrn, name="Irrtum^Ida")
    unlike, cut = called(of(), new_uid()), of().truncated(900)
    for batch in ([first], [other, strangers, unlike, cut, called(of(), "../" + HUGO.mrn[:4])]):
        region.modality("RXA").store(batch)
    assert isinstance(first.data_set, bytes)
    note = rejection_note([dcmread(BytesIO(first.data_set), force=True)])
    region.modality("RXA").store([WireObject.from_part10(part10(note))])

    def is_rejected() -> bool:
        rows = region.nodes["RXA"].rows("instance_state", sop_instance_uid=sop)
        return any(row["state"] == "REJECTED" for row in rows)

    wait_until(is_rejected, what="the note is taken in")
    region.nodes["RXA"].wait_taken_in()


def test_no_log_line_of_a_region_names_a_patient(region: Supervised, pacs: RecordingScp) -> None:
    a_storys_worth(region, pacs)

    logs = region.logs()
    assert len(logs) >= 10
    assert "status=0x0000" in logs["RXA.receive.log"]
    assert "event='answered'" in logs["RXA.serve.log"]
    for people in (WILMA, WILMA_AT_RXB, HUGO):
        for text in told_of(people):
            found = {
                name: [line for line in lines.splitlines() if text in line]
                for name, lines in logs.items()
                if text in lines
            }
            assert not found, (text, json.dumps(found, indent=1)[:2000])
