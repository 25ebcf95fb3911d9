"""OpenStackClient plugin: ``openstack multisite ...``."""
