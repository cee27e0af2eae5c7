from tests.central.fixtures import calls, centre, clock, make_node, migrated, rxa, rxb, url, web

__all__ = ["calls", "centre", "clock", "make_node", "migrated", "rxa", "rxb", "url", "web"]
