"""Finds replicas that do not follow any more, takes them out and mends what can be mended."""
