"""Pages about credits and money."""
