"""The daemon: everything is put together and run here."""
