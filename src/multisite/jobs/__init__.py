"""Durable work: jobs made of steps, carried out on DBOS, undone truthfully, recovered after a crash."""
