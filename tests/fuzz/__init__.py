"""Attack a running sensor with generated messages: `make fuzz N=100000`."""
