"""The admin port: health and metrics, the JSON API for those who run the store, the web console (DESIGN.md §2)."""
