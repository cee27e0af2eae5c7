"""What passes between tiers: messages, packs, and the peer that carries them."""
