"""``multisite keys ...``: the daemon, and what an operator asks of it."""
