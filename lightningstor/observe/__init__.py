"""What the daemon tells about itself: logs and metrics. Knows nothing of the rest of the package."""
