"""Benchmarks: the product against a floor or a peer in the same run.  Last line: RATIO name value goal."""
