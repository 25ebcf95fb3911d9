"""Which identity topology for which sites: what every candidate costs and survives, and a recommendation."""
