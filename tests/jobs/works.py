"""Work for examples, and the usual way to claim it."""

from collections.abc import Collection, Mapping
from typing import TypedDict, Unpack

from sync.jobs.caps import Caps
from sync.jobs.ledger import Ledger
from sync.jobs.work import Claimed, JobClass, Work

LEASE_MS = 10_000


class Wish(TypedDict, total=False):
    destination: str
    job_class: JobClass
    kind: str
    weight: int
    deadline_ms: int | None
    not_before_ms: int | None
    payload: Mapping[str, object]


def work(key: str, **wish: Unpack[Wish]) -> Work:
    defaults: Wish = {
        "kind": "put",
        "destination": "centre",
        "job_class": JobClass.ROUTINE,
        **wish,
    }
    return Work(subject=f"subject of {key}", idempotency_key=key, wanted_by="test", **defaults)


def put(ledger: Ledger, key: str, *, reopen: bool = False, **wish: Unpack[Wish]) -> int | None:
    with ledger.index.writing() as conn:
        return ledger.enqueue(conn, work(key, **wish), reopen=reopen)


def claim(
    ledger: Ledger,
    *,
    owner: str = "worker",
    job_class: JobClass = JobClass.ROUTINE,
    caps: Caps | None = None,
    lease_ms: int = LEASE_MS,
    kinds: Collection[str] | None = None,
) -> Claimed | None:
    return ledger.claim(
        job_class=job_class,
        owner=owner,
        lease_ms=lease_ms,
        caps=caps or Caps(default=1000),
        kinds=kinds,
    )


def must_claim(ledger: Ledger, *, owner: str = "worker") -> Claimed:
    claimed = claim(ledger, owner=owner)
    assert claimed is not None
    return claimed
