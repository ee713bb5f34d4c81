"""From the poses of one frame to people followed over time."""
