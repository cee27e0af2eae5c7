"""How a tier stands, as lines."""

from collections.abc import Iterator, Mapping

from archive.clock import milliseconds
from archive.index.counts import Counts, count
from deploy.operators.tiers import Tier


def standing_lines(tier: Tier) -> Iterator[str]:
    """Yield what a tier holds, what it works on, and what waits for a person."""
    with tier.index.reading() as conn:
        counts = count(conn)
    now_ms = milliseconds(tier.index.clock.now())
    yield tier.name
    yield f"  studies held: {_listed(counts.studies)}"
    yield f"  instances: {counts.instances} ({counts.loose_instances} not sealed yet)"
    announced = f", {counts.packs_announced} announced" if counts.packs_announced else ""
    yield f"  packs: {counts.packs}{announced}; documents: {counts.documents}"
    yield f"  jobs: {_listed(counts.jobs)}; {_lag(counts, now_ms)}"
    if counts.orders:
        yield f"  orders: {_listed(counts.orders)}"
    for node in counts.nodes:
        if node.last_heard_ms is not None:
            seconds = max(0, now_ms - node.last_heard_ms) // 1000
            yield f"  {node.name} last heard {seconds} s ago"
    yield (
        f"  waiting for a person: {counts.held} held objects, {counts.data_quality} findings, "
        f"{counts.packs_withheld} packs that do not leave"
    )


def _listed(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counted.items()) or "none"


def _lag(counts: Counts, now_ms: int) -> str:
    if counts.oldest_job_ms is None:
        return "no work waits"
    return f"oldest waits for {max(0, now_ms - counts.oldest_job_ms) // 1000} s"
