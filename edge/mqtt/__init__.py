"""The wire contract, and the connection to the broker."""
