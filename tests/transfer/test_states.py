"""States reach the centre, whatever became of the work that should have told them."""

from sqlalchemy import update

from archive.index import tables
from archive.states import JobState
from sync.tell import reopen_states
from tests.central.nodes import NodeStand
from tests.central.stands import CentreStand, count_rows, ct


def _restart(node: NodeStand) -> None:
    with node.archive.index.writing() as conn:
        reopen_states(node.ledger, conn, organisation=node.name, node=node.name)
    node.work()


def test_a_rejection_whose_job_failed_is_told_when_the_worker_starts_again(
    centre: CentreStand, rxa: NodeStand
) -> None:
    rxa.archives(ct(1))
    rxa.work()
    rxa.rejects("1.2.3.1.1")
    columns = tables.job.c
    with rxa.archive.index.writing() as conn:
        failed = update(tables.job).where(columns.kind == "tell_states")
        conn.execute(failed.values(state=JobState.FAILED.value))

    _restart(rxa)

    assert count_rows(centre.archive, "instance_state") == 1


def test_what_was_told_is_not_told_again(centre: CentreStand, rxa: NodeStand) -> None:
    rxa.archives(ct(1))
    rxa.rejects("1.2.3.1.1")
    rxa.work()
    assert count_rows(centre.archive, "instance_state") == 1

    _restart(rxa)

    assert rxa.job_states("tell_states") == ["COMPLETED"]
