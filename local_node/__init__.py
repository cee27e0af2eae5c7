"""A trust's node: an archive beside its modalities, fed by its PAS, in step with the centre."""
