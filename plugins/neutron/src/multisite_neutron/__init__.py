"""Remote ports for Neutron (the seam; the driver is not written yet)."""
