"""``openstack multisite network ...``."""
