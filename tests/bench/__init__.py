"""The bench: this store beside others, on one machine in one run."""
