"""The columns that tables are made of."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Integer,
    MetaData,
    Text,
)
from sqlalchemy.types import TypeEngine

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

KEY: TypeEngine[int] = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only for a column of type INTEGER."""


def key(name: str) -> Column[int]:
    """A number that the database gives."""
    return Column(name, KEY, primary_key=True, autoincrement=True)


def part(name: str) -> Column[int]:
    """A part of a key that the archive gives."""
    return Column(name, KEY, primary_key=True, autoincrement=False)


def ref(name: str, target: str, *, nullable: bool = False) -> Column[int]:
    """The number of another row."""
    return Column(name, KEY, ForeignKey(target), nullable=nullable)


def time(name: str, *, nullable: bool = False) -> Column[int]:
    """Milliseconds since 1970, UTC."""
    return Column(name, BigInteger, nullable=nullable)


def text(name: str) -> Column[str]:
    """Text that may be empty and is never absent."""
    return Column(name, Text, nullable=False, default="", server_default="")
