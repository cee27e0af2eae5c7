"""A stored instance and who asks, and what leaves for him."""
