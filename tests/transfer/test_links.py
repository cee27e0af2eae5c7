"""What the centre decides about people reaches every trust that has acted on it."""

from archive.reader import Level
from archive.words.identity import Asker, Issuer
from tests.central.nodes import NodeStand
from tests.central.stands import CentreStand, ct
from tests.transfer.test_fetch import NHS, STUDY, region_turns

OTHER = {"nhs_number": "9990000026", "nhs_status": "01"}


def _found(node: NodeStand, mrn: str, issuer: Issuer | None = None) -> list[str]:
    asker = Asker(node.name, issuer or node.issuer, "workstation")
    matches = node.archive.reader.search(asker, Level.STUDY, {"PatientID": mrn})
    return [str(match.attributes["StudyInstanceUID"]) for match in matches]


def _priors_at(centre: CentreStand, rxa: NodeStand, rxb: NodeStand) -> None:
    rxa.patient("100", **NHS)
    rxa.archives(ct(1))
    rxb.patient("B7", **NHS)
    rxb.arrives("B7")
    region_turns(centre, rxa, rxb)
    assert _found(rxb, "B7") == [STUDY]


def test_a_link_that_no_longer_holds_parts_the_records_where_the_priors_lie(
    centre: CentreStand, rxa: NodeStand, rxb: NodeStand
) -> None:
    _priors_at(centre, rxa, rxb)

    rxb.clock.advance(60)
    rxb.patient("B7", name="Roe^Richard", birth_date="19601111", sex="M", **OTHER)
    region_turns(centre, rxa, rxb)

    assert _found(rxb, "B7") == []
    assert rxb.selects(STUDY)[0].refusal is not None


def test_a_correction_taken_back_joins_them_again(
    centre: CentreStand, rxa: NodeStand, rxb: NodeStand
) -> None:
    _priors_at(centre, rxa, rxb)
    rxb.clock.advance(60)
    rxb.patient("B7", birth_date="19611111", **NHS)
    region_turns(centre, rxa, rxb)
    assert _found(rxb, "B7") == []

    rxb.clock.advance(60)
    rxb.patient("B7", **NHS)
    region_turns(centre, rxa, rxb)

    assert _found(rxb, "B7") == [STUDY]


def test_a_fetch_order_of_before_does_not_bring_a_parted_link_back(
    centre: CentreStand, rxa: NodeStand, rxb: NodeStand
) -> None:
    rxa.patient("100", **NHS)
    rxa.archives(ct(1))
    rxb.patient("B7", **NHS)
    rxb.arrives("B7")
    rxa.take_orders()
    rxa.work()
    rxb.work()
    centre.plan()
    rxb.take_orders()

    rxb.clock.advance(60)
    rxb.patient("B7", name="Roe^Richard", birth_date="19601111", sex="M", **OTHER)
    rxb.work()
    region_turns(centre, rxa, rxb)

    assert _found(rxb, "B7") == []


def test_another_number_of_the_same_person_finds_the_priors_that_lie_there(
    centre: CentreStand, rxa: NodeStand, rxb: NodeStand
) -> None:
    _priors_at(centre, rxa, rxb)
    west = Issuer("RXB", "RXBW")

    rxb.patient("W1", namespace="RXBW", **NHS)
    rxb.arrives("W1", "feed:2", issuer=west)
    region_turns(centre, rxa, rxb)

    assert _found(rxb, "W1", west) == [STUDY]
    assert centre.orders("RXB")[-1] == ("links", "DONE")
