from tests.central.fixtures import calls, centre, clock, make_node, migrated, rxa, rxb, url, web
from tests.index.conftest import migrated_database, migrated_file, rows, server

__all__ = [
    "calls",
    "centre",
    "clock",
    "make_node",
    "migrated",
    "migrated_database",
    "migrated_file",
    "rows",
    "rxa",
    "rxb",
    "server",
    "url",
    "web",
]
