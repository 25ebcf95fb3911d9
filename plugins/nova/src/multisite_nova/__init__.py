"""Quiesce filter for nova-api."""
