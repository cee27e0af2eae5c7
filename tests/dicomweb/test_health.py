import httpx

from archive.dicomweb.health import exposition
from archive.index.counts import Counts, NodeHeard
from tests.dicomweb.conftest import Client
from tests.dicomweb.objects import ct
from tests.dicomweb.tier import Tier, bearer


def test_a_process_that_answers_is_alive_and_ready_when_every_check_holds(
    tier: Tier, asks: Client
) -> None:
    anybody = asks("")
    assert anybody.get("/health/live").json() == {"live": True}
    ready = anybody.get("/health/ready")
    assert (ready.status_code, ready.json()["ready"]) == (200, True)
    assert ready.json()["checks"] == {"database": "ok", "disk": "ok"}


def test_a_check_that_fails_makes_the_process_not_ready_and_is_named_without_internals(
    tier: Tier, asks: Client
) -> None:
    tier.failing.append("disk")
    ready = asks("").get("/health/ready")
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    assert ready.json()["checks"] == {"database": "ok", "disk": "OSError"}
    assert asks("").get("/health/live").status_code == 200


def test_metrics_are_for_operators_and_count_what_is_held(tier: Tier, asks: Client) -> None:
    tier.store(ct("1.2.3.1.1"), ct("1.2.3.1.2"))
    assert asks("radiologist.RXA").get("/metrics").status_code == 403
    answer: httpx.Response = asks("operator").get("/metrics", headers=bearer("operator"))
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert "imagestore_instances 2" in lines
    assert 'imagestore_studies{custodian="RXA"} 1' in lines
    assert 'imagestore_register_answers{answer="Registered"} 2' in lines
    assert "# TYPE imagestore_held gauge" in lines


def test_labels_are_escaped_and_what_is_unknown_has_no_sample() -> None:
    nodes = (NodeHeard('A"\\\n', "RXA", 5_000), NodeHeard("B", "RXB", None))
    lines = list(exposition(Counts(nodes=nodes)))
    assert 'imagestore_node_last_heard_seconds{node="A\\"\\\\\\n"} 5' in lines
    samples = [line for line in lines if not line.startswith("#")]
    assert not any("RXB" in line or "oldest_job" in line for line in samples)
