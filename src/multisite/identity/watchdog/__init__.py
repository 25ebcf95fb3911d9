"""Finds replicas that do not follow any more, takes them out and repairs what can be repaired."""
