"""Template tags of credits."""
