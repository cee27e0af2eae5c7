"""Promises, each with a real thing behind it."""
