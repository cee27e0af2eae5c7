"""Promises of the rows: registering, matching, identities, states, custody."""
