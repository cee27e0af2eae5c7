from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from archive.words.identity import Asker, Issuer
from sync.transfer.messages import IssuerPart, PatientPart, PatientsMessage
from sync.transfer.peer import HttpCentre
from tests.central.packs import packed, some, told
from tests.central.stands import TRUSTS, CentreStand, count_rows, digests_in
from tests.store.examples import STUDY

Calls = Callable[[str], HttpCentre]


def test_nodes_that_announce_put_and_tell_all_at_once_are_all_served(
    calls: Calls, centre: CentreStand, tmp_path: Path
) -> None:
    def send(trust: str, number: int) -> tuple[str, ...]:
        peer = calls(trust)
        group = some(number, number + 100)
        pack = packed(tmp_path / f"{trust}{number}.tar", group, custodian=trust)
        peer.announce(told(group, custodian=trust))
        issuer = IssuerPart(organisation=trust, namespace=trust)
        patient = PatientPart(issuer=issuer, mrn=str(number), nhs_number="9990000018")
        peer.tell_patients(PatientsMessage(patients=(patient,)))
        receipt = peer.put_pack(
            content=pack.content, encoding=pack.encoding, length=pack.length, read=pack.read
        )
        assert receipt.digests == pack.digests
        return receipt.digests

    with ThreadPoolExecutor(12) as pool:
        sent = [pool.submit(send, trust, number) for trust in TRUSTS for number in range(1, 9)]
        digests = {digest for each in sent for digest in each.result(60)}
    for trust in TRUSTS:
        asker = Asker(trust, Issuer(trust, trust), "radiologist")
        there = digests_in(centre.archive, asker, STUDY)
        assert set(there.values()) == digests
    assert count_rows(centre.archive, "pack") == count_rows(centre.archive, "local_patient") == 24
