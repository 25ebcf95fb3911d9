"""Real OpenStack sites on one machine."""
