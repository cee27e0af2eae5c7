"""`imagestore` with a watch on every statement: `python -m tests.faults.measured VERB …`.

What each statement, each commit and each beginning of a write transaction took, with the wait for
its turn, is summed up in the file that the environment names.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.default import DefaultDialect

from archive.index.engine import Index
from deploy.command import main

WAITS = "WAITS_OF_A_TEST"
WRITE_SECONDS = 0.2


@dataclass
class Waits:
    """How long statements of this process waited."""

    count: int = 0
    longest: float = 0.0
    statement: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def watch(self) -> None:
        """Measure every statement from now on, of whatever engine."""
        event.listen(Engine, "before_cursor_execute", self._before)
        event.listen(Engine, "after_cursor_execute", self._after)
        event.listen(Engine, "handle_error", self._failed)
        original: Callable[[Any, Any], None] = DefaultDialect.do_commit

        def do_commit(dialect: DefaultDialect, connection: Any) -> None:
            began = time.monotonic()
            original(dialect, connection)
            self.note("COMMIT", time.monotonic() - began)

        DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]
        self._watch_writing()

    def _watch_writing(self) -> None:
        writing = Index.writing

        @contextmanager
        def watched(index: Index) -> Iterator[Connection]:
            began = time.monotonic()
            with writing(index) as conn:
                self.note("BEGIN IMMEDIATE", time.monotonic() - began)
                yield conn

        Index.writing = watched  # type: ignore[assignment, method-assign]

    def note(self, statement: str, seconds: float) -> None:
        with self._lock:
            self.count += 1
            if seconds > self.longest:
                self.longest, self.statement = seconds, " ".join(statement.split())[:200]

    def told(self) -> dict[str, object]:
        with self._lock:
            return {"count": self.count, "longest": self.longest, "statement": self.statement}

    def _before(
        self, _conn: Any, _cursor: Any, _sql: str, _of: Any, context: Any, _m: bool
    ) -> None:
        context.began_at = time.monotonic()

    def _after(self, _conn: Any, _cursor: Any, sql: str, _of: Any, context: Any, _m: bool) -> None:
        self.note(sql, time.monotonic() - context.began_at)

    def _failed(self, failure: Any) -> None:
        began = getattr(failure.execution_context, "began_at", time.monotonic())
        self.note(f"FAILED {failure.statement}", time.monotonic() - began)


def write_for_ever(waits: Waits, path: Path) -> None:
    """Replace the file by what is known, again and again."""
    beside = path.with_suffix(".new")
    while True:
        beside.write_text(json.dumps(waits.told()))
        beside.replace(path)
        time.sleep(WRITE_SECONDS)


if __name__ == "__main__":
    measured = Waits()
    measured.watch()
    target = Path(os.environ[WAITS])
    threading.Thread(target=write_for_ever, args=(measured, target), daemon=True).start()
    main()
