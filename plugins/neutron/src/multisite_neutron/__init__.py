"""Remote ports for Neutron: networks stretched over several OpenStack sites."""
