"""From the raw outputs of a network to keypoints in input pixels, in numpy; one file per network family."""
