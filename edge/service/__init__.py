"""The daemon: build the sensor from its parts and run it."""
