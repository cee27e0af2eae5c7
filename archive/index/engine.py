"""The database as the archive uses it: short transactions, its own clock, our own errors."""

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import cast

from sqlalchemy import BigInteger, Connection, Engine, create_engine, event, exc, select
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from archive.clock import Clock, milliseconds
from archive.errors import DatabaseUnavailable
from archive.index.turns import Line, TurnOverdue, begin_immediate

_BUSY_TIMEOUT_S = 10.0
_WRITES = "archive_writes"
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "case_sensitive_like=ON")
_UNAVAILABLE = (
    exc.OperationalError,
    exc.InterfaceError,
    exc.TimeoutError,
    sqlite3.OperationalError,
    TurnOverdue,
)


class now_ms(FunctionElement[int]):  # noqa: N801 - reads as the SQL function it stands for
    """The database's own clock in milliseconds; leases and due times are compared by it."""

    type = BigInteger()
    inherit_cache = True
    name = "now_ms"


@compiles(now_ms, "sqlite")
def _now_on_sqlite(_element: now_ms, _compiler: SQLCompiler, **_kw: object) -> str:
    return "now_ms()"


@compiles(now_ms, "postgresql")
def _now_on_postgresql(_element: now_ms, _compiler: SQLCompiler, **_kw: object) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)"


class Index:
    """One archive's database.

    SQLite runs in WAL mode with ``synchronous=FULL``; every write begins with ``BEGIN IMMEDIATE``
    so that two writers wait for each other at the start and never fail in the middle. PostgreSQL
    takes locks by :func:`serialise` and by row.
    """

    def __init__(self, url: str, *, clock: Clock) -> None:
        self.url = url
        self.clock = clock
        self._engine = _engine(url, clock)
        self._line = Line()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection inside one read transaction, in which nothing can be written.

        All that is read in it stood in the database at one moment.

        Raises:
            DatabaseUnavailable: the database did not answer.
        """
        with _translated(), self._engine.connect() as conn, conn.begin():
            if conn.dialect.name == "postgresql":
                conn.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield conn

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection inside one write transaction, committed at the end.

        No network and no file work belongs inside; a transaction takes under 20 ms.

        Raises:
            DatabaseUnavailable: the database did not answer, or stayed busy for too long.
        """
        with _translated(), self._turn(), self._engine.connect() as conn:
            writer = conn.execution_options(**{_WRITES: True})
            with writer.begin():
                yield writer

    def now_ms(self) -> int:
        """Return the database's clock in milliseconds since 1970."""
        with self.reading() as conn:
            return int(conn.execute(select(now_ms())).scalar_one())

    def migrate(self) -> None:
        """Bring the schema to what this version needs; does nothing when it is there.

        Raises:
            DatabaseUnavailable: the database did not answer.
        """
        from archive.index.members import make_hash_key
        from archive.index.migrations.upgrade import upgrade

        with _translated():
            upgrade(self._engine)
        with self.writing() as conn:
            make_hash_key(conn, secrets.token_bytes(32))

    def close(self) -> None:
        """Close every pooled connection."""
        self._engine.dispose()

    def _turn(self) -> AbstractContextManager[None]:
        """Return this thread's turn to write; PostgreSQL lets all of them at once."""
        if self._engine.dialect.name == "sqlite":
            return self._line.turn(_BUSY_TIMEOUT_S)
        return nullcontext()


def serialise(conn: Connection, *key: object) -> None:
    """Let only one transaction at a time go on with ``key``; SQLite's writers already do."""
    if conn.dialect.name == "postgresql":
        name = "\n".join(str(part) for part in key)
        conn.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (name,))


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except _UNAVAILABLE as error:
        if "readonly" in str(error):
            raise  # our own defect: a write inside a read transaction
        raise DatabaseUnavailable(
            "The database did not answer.", cause=type(error).__name__
        ) from error


def _engine(url: str, clock: Clock) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": _BUSY_TIMEOUT_S}, pool_timeout=30)

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, _record: object) -> None:
        _prepare_sqlite(cast("sqlite3.Connection", connection), clock)

    @event.listens_for(engine, "begin")
    def begin(conn: Connection) -> None:
        writes = conn.get_execution_options().get(_WRITES, False)
        conn.exec_driver_sql(f"PRAGMA query_only = {int(not writes)}")
        if writes:
            begin_immediate(_driver_of(conn), _BUSY_TIMEOUT_S)
        else:
            conn.exec_driver_sql("BEGIN")

    return engine


def _driver_of(conn: Connection) -> sqlite3.Connection:
    return cast("sqlite3.Connection", conn.connection.driver_connection)


def _prepare_sqlite(connection: sqlite3.Connection, clock: Clock) -> None:
    connection.isolation_level = None
    connection.create_function("now_ms", 0, lambda: milliseconds(clock.now()))
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
