"""From the poses of one frame to people tracked over time."""
