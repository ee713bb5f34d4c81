"""`edge-pose doctor`: look at the machine around the sensor, and say how to mend what is wrong.

`edge-pose check` tries the sensor itself once: it takes the camera, runs the network, and connects. This opens
nothing that the daemon needs, so it can be run beside one that runs, and looks at what `check` cannot explain.
"""
