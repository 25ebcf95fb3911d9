"""Multisite: telecom applications over many OpenStack sites."""
