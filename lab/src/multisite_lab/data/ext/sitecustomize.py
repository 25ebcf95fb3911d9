"""Lab only, on the path of every OpenStack service: oslo.privsep runs its functions in process.

Everything in a site is root already, and each privsep daemon would cost some 100 MB and seconds of CPU.
"""

import importlib.abc
import importlib.machinery
import sys


class _InProcess(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "oslo_privsep.priv_context":
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            original = module.PrivContext.__init__

            def __init__(self, *args, **kwargs):
                original(self, *args, **kwargs)
                self.client_mode = False

            module.PrivContext.__init__ = __init__

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, _InProcess())
