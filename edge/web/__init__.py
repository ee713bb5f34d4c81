"""The page, for a browser on the network: live skeletons, zones, settings, health; and metrics for Prometheus."""
