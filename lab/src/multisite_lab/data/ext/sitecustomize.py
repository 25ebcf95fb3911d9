"""Lab only, on the path of every OpenStack service."""

import contextlib
import importlib.abc
import importlib.machinery
import os
import signal
import sys


class _InProcess(importlib.abc.MetaPathFinder):
    """oslo.privsep runs its functions in process.

    Everything in a site is root already, and each privsep daemon would cost some 100 MB and seconds of CPU.
    """

    def find_spec(self, name, path, target=None):  # noqa: ARG002 - the finder protocol
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


def _forget_wakeup():
    """A forked child must not report its signals through its parent's wake-up pipe.

    With privsep in process pyroute2 forks helpers out of services that cotyledon watches over, and ends
    each with SIGTERM: the service took that signal for its own and stopped, again and again.
    """
    with contextlib.suppress(ValueError):
        signal.set_wakeup_fd(-1)


sys.meta_path.insert(0, _InProcess())
os.register_at_fork(after_in_child=_forget_wakeup)
