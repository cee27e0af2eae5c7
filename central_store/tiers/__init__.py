"""What nodes call."""
