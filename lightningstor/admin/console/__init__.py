"""The web console: pages rendered here, a little plain JavaScript for what pages cannot do, nothing from elsewhere."""
