"""Runs one program, and kills it with all it started when the service is gone: a script, started by `command.py`.

A `kill -9` of the service must not leave a hook's program running: the job is taken up again and starts it anew, with
the same key, and two of them would work beside each other.  The service holds the other end of a socket; the kernel
closes it with the service, however that ends.
"""

import os
import select
import signal
import sys


def main(lifeline: int, program: str) -> int:
    """The program's status, as a shell tells it (128 + the signal's number).

    An error number goes into the socket when the program cannot be started.
    """
    os.set_inheritable(lifeline, False)
    try:
        child = os.posix_spawn(program, [program], os.environ)
    except OSError as error:
        os.write(lifeline, str(error.errno).encode())
        return 127
    ended = os.pidfd_open(child)
    if lifeline in select.select([ended, lifeline], [], [])[0]:
        os.killpg(0, signal.SIGKILL)  # this process too: the group is of these two and what they started
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2]))
