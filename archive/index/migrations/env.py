"""Alembic's entry: runs the revisions on the connection it was given."""

from alembic import context

from archive.index.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
