"""The main loop: one thread runs the network while another processes the results."""
