"""The pages of the region's central store."""
