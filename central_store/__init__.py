"""The region's store: what nodes call, who is who, and what goes ahead of a patient."""
