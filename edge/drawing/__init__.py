"""Draw skeletons on pictures, and write pictures as a video or an animated GIF."""
