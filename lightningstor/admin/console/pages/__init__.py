"""The pages, a module for each subject; each adds its routes to the blueprint."""
