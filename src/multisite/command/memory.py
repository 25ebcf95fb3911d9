"""A process holds passwords, tokens and guests' data in its memory: no core dump and no other process shows them."""

from __future__ import annotations

import ctypes
import os
import resource

_PR_SET_DUMPABLE = 4
"""linux/prctl.h"""


def protect(*, allow_core_dumps: bool) -> None:
    """From now on this process and those it forks leave no core dump, and can be neither traced nor read.

    As ssh-agent (PR_SET_DUMPABLE) and HashiCorp's Vault (RLIMIT_CORE) do it.  Both are needed: the limit does not
    count where cores are piped to a collector (core(5)), and a program that is started from here is dumpable again
    (prctl(2)) but inherits the limit.  Whoever may trace every process (root, CAP_SYS_PTRACE) reads it all the same.

    Raises OSError when the kernel refuses.
    """
    if allow_core_dumps:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl(PR_SET_DUMPABLE): {os.strerror(number)}")
