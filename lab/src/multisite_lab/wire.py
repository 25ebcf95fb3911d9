"""A long cable: carries every frame between two devices, each some milliseconds later than it came.

`python -m multisite_lab.wire NEAR FAR MILLISECONDS`, in the network namespace of both.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections import deque

_ALL = 0x0003  # ETH_P_ALL
_IGNORE_OUTGOING = (263, 23)  # SOL_PACKET, PACKET_IGNORE_OUTGOING
_LARGEST = 65_600
_QUEUE = 20_000


class Direction:
    """Frames of one direction, in their order."""

    def __init__(self, source: socket.socket, target: socket.socket, seconds: float) -> None:
        self._source, self._target, self._seconds = source, target, seconds
        self._held: deque[tuple[float, bytes]] = deque(maxlen=_QUEUE)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(source, self._take)

    def _take(self) -> None:
        """Everything that has come; the device's queue is short."""
        waiting = bool(self._held)
        due = self._loop.time() + self._seconds
        try:
            while True:
                self._held.append((due, self._source.recv(_LARGEST)))
        except BlockingIOError:
            pass
        if self._held and not waiting:
            self._loop.call_at(self._held[0][0], self._give)

    def _give(self) -> None:
        now = self._loop.time()
        while self._held and self._held[0][0] <= now:
            frame = self._held.popleft()[1]
            try:
                self._target.send(frame)
            except OSError:
                continue  # full or too large: lost, as on any line
        if self._held:
            self._loop.call_at(self._held[0][0], self._give)


def _open(device: str) -> socket.socket:
    found = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
    found.bind((device, _ALL))
    # Otherwise each frame sent here would come back as one received.
    found.setsockopt(*_IGNORE_OUTGOING, 1)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    found.setblocking(False)
    return found


async def carry(near: str, far: str, seconds: float) -> None:
    """Carry for ever."""
    ends = _open(near), _open(far)
    kept = Direction(ends[0], ends[1], seconds), Direction(ends[1], ends[0], seconds)
    print("carrying", flush=True)
    await asyncio.Event().wait()
    del kept


if __name__ == "__main__":
    asyncio.run(carry(sys.argv[1], sys.argv[2], float(sys.argv[3]) / 1000))
