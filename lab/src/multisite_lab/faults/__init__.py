"""Faults on the way between the manager and a site's OpenStack endpoints."""
