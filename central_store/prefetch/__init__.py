"""Which priors go ahead of a patient who has turned up at a trust."""
