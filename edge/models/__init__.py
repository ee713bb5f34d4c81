"""Model files: the catalogues, and the commands that add, list and verify models."""
