"""The rules by which two trusts' records become one person's."""
