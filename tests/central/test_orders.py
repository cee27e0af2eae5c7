import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlalchemy import select, update

from archive.errors import StateMoved
from archive.index import tables
from archive.states import OrderState
from central_store.orders import give_order
from sync.jobs.work import JobClass
from sync.transfer.messages import (
    ArrivalMessage,
    IssuerPart,
    OutcomeMessage,
    PatientPart,
    PatientsMessage,
    StatesOrder,
)
from sync.transfer.peer import HttpCentre
from tests.central.stands import TOKEN, CentreStand
from tests.central.web import API, until
from tests.jobs.clocks import MovedClock

Calls = Callable[[str], HttpCentre]
FAILED = OutcomeMessage(done=False, evidence="no room")
ISSUER = IssuerPart(organisation="RXA", namespace="RXA")
ARRIVAL = ArrivalMessage(issuer=ISSUER, mrn="100", event="A01", message_key="f:1", at_ms=5)


def offer(centre: CentreStand, trust: str = "RXA", arrival_id: int | None = None) -> None:
    with centre.archive.index.writing() as conn:
        give_order(
            conn,
            node_id=centre.node_id(trust),
            subject="RXC",
            order_class="urgent",
            body=StatesOrder(custodian="RXC", states=()),
            key="k1",
            at_ms=1,
            arrival_id=arrival_id,
        )


def plans(centre: CentreStand) -> list[object]:
    columns = tables.job.c
    query = select(columns.wanted_by).where(columns.kind == "plan").order_by(columns.id)
    return centre.column(query)


def test_a_question_without_an_order_is_answered_when_the_time_is_over(web: httpx.Client) -> None:
    assert web.get(f"{API}/orders", params={"wait": "0.4"}).json()["orders"] == []


def test_many_questions_stand_at_once_and_others_are_answered_meanwhile(
    url: str, centre: CentreStand
) -> None:
    """More questions than there are threads in the pool or connections to the database."""

    def ask(_number: int) -> int:
        headers = {"Authorization": f"Bearer {TOKEN['RXB']}"}
        answer = httpx.get(f"{url}{API}/orders", params={"wait": "60"}, headers=headers, timeout=90)
        return len(answer.json()["orders"])

    with ThreadPoolExecutor(80) as pool:
        asked = [pool.submit(ask, number) for number in range(80)]
        until(lambda: centre.tiers.watch.waiting == 80)
        headers = {"Authorization": f"Bearer {TOKEN['RXA']}"}
        assert httpx.get(f"{url}{API}/orders", headers=headers).status_code == 200
        offer(centre, "RXB")
        assert [each.result(30) for each in asked] == [1] * 80


def test_a_caller_that_goes_away_waits_no_longer(url: str, centre: CentreStand) -> None:
    headers = {"Authorization": f"Bearer {TOKEN['RXA']}"}
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{url}{API}/orders", params={"wait": "60"}, headers=headers, timeout=0.5)
    until(lambda: centre.tiers.watch.waiting == 0)
    until(lambda: not centre.tiers.watch.is_looking)


def test_a_server_that_stops_does_not_wait_for_standing_questions(centre: CentreStand) -> None:
    answers: list[int] = []

    def ask(base: str) -> None:
        headers = {"Authorization": f"Bearer {TOKEN['RXA']}"}
        answer = httpx.get(
            f"{base}{API}/orders", params={"wait": "60"}, headers=headers, timeout=90
        )
        answers.append(answer.status_code)

    with centre.serving() as base:
        asking = threading.Thread(target=ask, args=(base,))
        asking.start()
        until(lambda: centre.tiers.watch.waiting == 1)
    asking.join(10)
    assert answers == [200]


def test_an_order_that_was_withdrawn_is_not_acknowledged(calls: Calls, centre: CentreStand) -> None:
    offer(centre)
    with centre.archive.index.writing() as conn:
        conn.execute(update(tables.node_order).values(state=OrderState.WITHDRAWN.value))
    with pytest.raises(StateMoved):
        calls("RXA").acknowledge(1)
    with pytest.raises(StateMoved):
        calls("RXA").finish(1, FAILED)


def test_an_order_that_failed_for_an_arrival_is_planned_anew(
    calls: Calls, centre: CentreStand
) -> None:
    peer = calls("RXA")
    peer.tell_arrival(ARRIVAL)
    offer(centre, arrival_id=1)
    peer.finish(1, FAILED)
    peer.finish(1, FAILED)
    assert plans(centre) == ["arrival", "order:1"]
    assert centre.orders("RXA") == [("states", "FAILED")]
    assert centre.nudger.nudged == [JobClass.URGENT, JobClass.URGENT]


def test_an_arrival_is_due_so_many_minutes_after_it(
    calls: Calls, centre: CentreStand, clock: MovedClock
) -> None:
    now_ms = round(clock.now().timestamp() * 1000)
    calls("RXA").tell_arrival(ARRIVAL.model_copy(update={"at_ms": now_ms - 1000}))
    minutes = centre.settings.prefetch.deadline_minutes
    assert centre.column(select(tables.arrival.c.deadline)) == [now_ms - 1000 + minutes * 60_000]


def test_a_node_whose_clock_is_ahead_does_not_put_off_its_arrivals(
    calls: Calls, centre: CentreStand, clock: MovedClock
) -> None:
    now_ms = round(clock.now().timestamp() * 1000)
    calls("RXA").tell_arrival(ARRIVAL.model_copy(update={"at_ms": now_ms + 86_400_000}))
    assert centre.column(select(tables.arrival.c.at)) == [now_ms]


def test_a_record_that_changes_a_person_opens_the_plans_of_his_arrivals(
    calls: Calls, centre: CentreStand
) -> None:
    peer = calls("RXA")
    peer.tell_arrival(ARRIVAL)
    record = PatientPart(issuer=ISSUER, mrn="100", name="Doe^Jane", birth_date="19700101")
    peer.tell_patients(PatientsMessage(patients=(record,)))
    peer.tell_patients(PatientsMessage(patients=(record,)))
    first, second = plans(centre)
    assert first == "arrival"
    assert str(second).startswith("patients:")


def test_a_node_that_calls_is_heard_of_once_a_second(
    calls: Calls, centre: CentreStand, clock: MovedClock
) -> None:
    def heard() -> object:
        query = select(tables.node.c.last_heard_at).where(tables.node.c.name == "RXA")
        return centre.column(query)[0]

    peer = calls("RXA")
    assert heard() is None
    peer.orders(wait_seconds=0)
    first = heard()
    clock.advance(0.5)
    peer.orders(wait_seconds=0)
    assert heard() == first
    clock.advance(0.6)
    peer.orders(wait_seconds=0)
    assert heard() == round(clock.now().timestamp() * 1000)
