"""`edge-pose doctor` and `edge-pose check`: examine the machine and the sensor, and say how to fix a problem.

`check` tries the sensor itself: it opens the camera, runs the network, and connects to the broker. `doctor` examines
the machine around the sensor. It opens no device, so it can run beside the daemon.
"""
