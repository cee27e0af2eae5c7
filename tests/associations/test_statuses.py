"""Every error has an answer in every service."""

import subprocess
import sys

from archive.dimse.statuses import STATUSES, statuses_of
from archive.errors import ArchiveError, Damaged, NoAuthority, Refused, Unavailable
from archive.words.statuses import FindStatus, RetrieveStatus, StoreStatus


def concrete(kind: type[ArchiveError]) -> set[type[ArchiveError]]:
    below = kind.__subclasses__()
    return {kind} if not below else set().union(*(concrete(one) for one in below))


def test_every_error_of_the_archive_has_a_dimse_status() -> None:
    named = {one for one in concrete(ArchiveError) if one.__module__ == "archive.errors"}

    assert named - {Refused, Unavailable, Damaged} == set(STATUSES)


def test_no_error_is_told_as_success_or_pending() -> None:
    for statuses in STATUSES.values():
        assert statuses.find not in (FindStatus.SUCCESS, FindStatus.PENDING)
        assert statuses.retrieve not in (RetrieveStatus.SUCCESS, RetrieveStatus.PENDING)
        assert statuses.store is not StoreStatus.SUCCESS


def test_a_query_without_an_authority_is_a900() -> None:
    statuses = statuses_of(NoAuthority("Whose number?"))

    assert statuses.find == 0xA900
    assert statuses.retrieve == 0xA900


def test_the_door_opens_without_database_broker_or_http() -> None:
    script = """
import sys
for name in ("sqlalchemy", "alembic", "celery", "redis", "httpx", "starlette", "jinja2", "obstore"):
    sys.modules[name] = None
import archive.dimse.receive
import archive.dimse.scp
print("opened")
"""
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert ran.stdout.strip() == "opened", ran.stderr
