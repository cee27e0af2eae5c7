from tests.central.fixtures import calls, centre, clock, make_node, migrated, rxa, rxb, url

__all__ = ["calls", "centre", "clock", "make_node", "migrated", "rxa", "rxb", "url"]
