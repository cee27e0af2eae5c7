"""Runs the revisions, one process at a time."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine


def configuration() -> Config:
    """Return Alembic's configuration; nothing of it lies in a file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(engine: Engine) -> None:
    """Bring the schema to the newest revision, waiting for another process that is at it."""
    config = configuration()
    with engine.connect() as conn:
        writer = conn.execution_options(archive_writes=True)
        with writer.begin():
            _wait_for_others(writer)
            if _current(writer) != ScriptDirectory.from_config(config).get_current_head():
                config.attributes["connection"] = writer
                command.upgrade(config, "head")


def _wait_for_others(conn: Connection) -> None:
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql("SELECT pg_advisory_xact_lock(724199)")


def _current(conn: Connection) -> str | None:
    return MigrationContext.configure(conn).get_current_revision()
