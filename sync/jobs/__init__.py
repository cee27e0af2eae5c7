"""Work that is never lost: a ledger in the database is the truth, Celery only wakes workers."""
