"""Which identity topology for which sites: every candidate's cost and what it survives, computed, and a recommendation."""
