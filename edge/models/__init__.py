"""Model files: the catalogue, and how models get into it."""
