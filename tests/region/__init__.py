"""The region as one process tree."""
