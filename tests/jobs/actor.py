"""A worker process for tests: its kinds write to a file what they did, one line each.

`put` is done at once, `long` looks up until the file `let_go` is there, `deaf` does not look up.
"""

import argparse
import os
import sys
import time
from pathlib import Path

from archive.clock import SystemClock
from archive.index.engine import Index
from sync.jobs.celery_app import celery_app
from sync.jobs.executor import Executor
from sync.jobs.ledger import Ledger
from sync.jobs.policy import Policy
from sync.jobs.work import Claimed
from sync.jobs.worker import run_worker


def main() -> None:
    parser = argparse.ArgumentParser()
    for option in ("--url", "--broker", "--directory", "--name"):
        parser.add_argument(option, required=True)
    given = parser.parse_args()
    directory = Path(given.directory)

    def note(file: str, text: str) -> None:
        with (directory / file).open("a") as out:
            out.write(f"{text}\n")

    def put(claimed: Claimed) -> str:
        note("done", f"{claimed.subject}\t{given.name}")
        return f"done by {given.name}"

    def long(claimed: Claimed) -> str:
        note("begun", f"{claimed.subject}\t{given.name}")
        while not (directory / "let_go").exists():
            claimed.check()
            time.sleep(0.01)
        return put(claimed)

    def deaf(claimed: Claimed) -> str:
        note("begun", f"{claimed.subject}\t{given.name}")
        while True:
            time.sleep(1)

    index = Index(given.url, clock=SystemClock())
    executor = Executor(
        Ledger(index, Policy(first_ms=50)),
        {"put": put, "long": long, "deaf": deaf},
        f"{given.name}/{os.getpid()}",
        lease_ms=2000,
    )
    run_worker(
        app=celery_app(given.broker),
        executor=executor,
        on_ready=lambda: note("ready", given.name),
    )
    note("ended", given.name)
    sys.exit(0)


if __name__ == "__main__":
    main()
