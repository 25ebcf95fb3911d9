"""Bugs to plant, so that the matrix can be seen to find them."""

from __future__ import annotations

from collections.abc import Callable

from multisite.clouds import resources
from multisite.recovery.methods.consistent_backup.window import Window


def _makes_a_second() -> None:
    """A step that does not look for what it made before it was interrupted."""
    ensure = resources.ensure
    resources.ensure = lambda *args, **more: ensure(*args, **{**more, "fresh": True})


def _forgets_the_frozen() -> None:
    """An interrupted capture that leaves servers frozen."""
    Window.thaw_all = lambda *_: []  # type: ignore[method-assign]


def _thaws_forwards() -> None:
    """An interrupted capture that thaws servers in the order in which they were frozen."""
    thaw_all = Window.thaw_all
    Window.thaw_all = (  # type: ignore[method-assign]
        lambda self, servers, seconds: thaw_all(self, servers[::-1], seconds)
    )


PLANTS: dict[str, Callable[[], None]] = {
    "second": _makes_a_second,
    "frozen": _forgets_the_frozen,
    "order": _thaws_forwards,
}
