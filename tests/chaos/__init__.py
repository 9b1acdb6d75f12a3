"""Real jobs of all kinds while a seeded script kills, pauses and empties what does them."""
