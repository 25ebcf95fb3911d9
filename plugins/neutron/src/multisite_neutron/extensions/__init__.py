"""API extensions; Neutron loads every module of this folder by its path."""
