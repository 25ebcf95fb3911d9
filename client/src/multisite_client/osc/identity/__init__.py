"""``openstack multisite identity ...``."""
