"""The pages of both tiers: one kit, one stylesheet, readable without JavaScript."""
