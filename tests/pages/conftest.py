"""The tier that the tests of the HTTP doors use."""

from tests.dicomweb.conftest import migrated, tier

__all__ = ["migrated", "tier"]
