"""The story of the demo, and the small peers and images that it is told with."""
