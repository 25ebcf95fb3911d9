"""A running deployment compared with its topology."""
