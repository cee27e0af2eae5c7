"""The steps of the story, a few in each file, in the order in which they are told."""
