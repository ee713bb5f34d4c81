"""Turn a recording into a report: one HTML page."""
