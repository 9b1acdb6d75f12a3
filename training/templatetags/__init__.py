"""Template tags of training pages."""
