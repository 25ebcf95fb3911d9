# SPDX-License-Identifier: Apache-2.0
"""Neutron judges the first requests by its policies, not by none."""

from neutron import policy
from neutron_case import RemotePortCase

from multisite_neutron.mechanism_driver import RemotePortMechanismDriver


class TestPolicies(RemotePortCase):
    def test_they_are_there_before_the_first_request(self):
        policy.reset()
        self.assertIsNone(policy._ENFORCER)
        RemotePortMechanismDriver().initialize()
        self.assertIn("get_port", policy._ENFORCER.rules)
        self.assertIn("get_port:tunneling_ip", policy._ENFORCER.rules)
