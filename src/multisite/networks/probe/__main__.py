"""``python3 -m multisite.networks.probe``."""

import sys

from multisite.networks.probe.program import main

sys.exit(main())
