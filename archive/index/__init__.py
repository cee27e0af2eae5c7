"""Rows: what is held, under which identity, in which state, and where its bytes lie."""
