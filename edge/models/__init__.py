"""Model files: the catalogues, and the ways to add models to them."""
