"""The pages of a trust's node."""
