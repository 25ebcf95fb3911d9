"""One identity over three sites: a Galera pair, two asynchronous copies, a Keystone at each."""
