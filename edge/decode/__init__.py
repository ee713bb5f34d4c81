"""One file a decoder; pure numpy, from the model's raw outputs to keypoints in input space."""
