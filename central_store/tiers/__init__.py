"""What nodes call: announcements, packs, states, patients, arrivals, and orders to them."""
