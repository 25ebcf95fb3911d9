"""A job on a terminal (rich): steps with their states, times and bars, the running ones always visible."""

from __future__ import annotations

from typing import Any, TextIO

from rich.console import Console, Group
from rich.live import Live as RichLive
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from multisite_client.osc.base import seconds
from multisite_client.osc.status import JobStatus, amount, waits

_MARKS = {
    "waiting": ("·", "dim"),
    "running": ("", "cyan"),
    "done": ("✔", "green"),
    "failed": ("✘", "bold red"),
    "skipped": ("–", "dim"),
    "undoing": ("", "yellow"),
    "undone": ("↶", "yellow"),
    "undo_failed": ("✘", "bold red"),
}
_STATES = {"done": "bold green", "undone": "bold yellow", "paused": "bold red", "undo_failed": "bold red"}
_AROUND = 6
"""Lines of the terminal left for other things than steps."""


class Live:
    """A ``status.View``."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False)
        self._spinner = Spinner("dots")
        self._status: JobStatus | None = None
        self._live = RichLive(
            console=self._console, get_renderable=self._render, refresh_per_second=5, transient=True
        )

    def update(self, status: JobStatus) -> None:
        started = self._status is not None
        self._status = status
        if not started:
            self._live.start(refresh=True)

    def close(self, status: JobStatus) -> None:
        self._status = status
        self._live.stop()
        self._console.print(_steps(status, status.job["steps"], None))
        self._console.print(_headline(status))

    def _render(self) -> Any:
        status = self._status
        if status is None:
            return Text("")
        steps = window(status.job["steps"], max(3, self._console.height - _AROUND))
        parts: list[Any] = [_headline(status), _steps(status, steps, self._spinner)]
        hidden = len(status.job["steps"]) - len(steps)
        if hidden:
            parts.append(Text(f"  and {hidden} more steps", "dim"))
        if status.problem:
            parts.append(Text(status.problem, "red"))
        return Group(*parts)


def window(steps: list[dict[str, Any]], height: int) -> list[dict[str, Any]]:
    """As many steps as fit, around the first one that is not over."""
    if len(steps) <= height:
        return steps
    over = ("done", "skipped", "undone")
    current = next((n for n, s in enumerate(steps) if s["state"] not in over), len(steps) - 1)
    begin = min(max(0, current - height // 3), len(steps) - height)
    return steps[begin : begin + height]


def _headline(status: JobStatus) -> Text:
    job = status.job
    done = sum(step["state"] == "done" for step in job["steps"])
    style = _STATES.get(job["state"], "bold cyan")
    return Text.assemble(
        (job["title"], "bold"), "  ", (str(job["state"]), style),
        f"  {done}/{len(job['steps'])} steps  {seconds(status.total())}",
    )  # fmt: skip


def _steps(status: JobStatus, steps: list[dict[str, Any]], spinner: Spinner | None) -> Table:
    """A line per step; without a spinner (at the end) reasons of failures are shown in full."""
    table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=False, expand=True)
    table.add_column(width=1)
    table.add_column(ratio=5, no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(width=12)
    table.add_column(ratio=4, no_wrap=spinner is not None)
    for step in steps:
        mark, style = _MARKS.get(step["state"], ("?", ""))
        shown: Any = Text(mark, style) if mark else spinner or Text("…", style)
        title = Text(step["title"], "dim" if step["state"] == "waiting" else "")
        elapsed = status.elapsed(step)
        table.add_row(
            shown, title, Text("" if elapsed is None else seconds(elapsed), style), _bar(step), _note(step)
        )
    return table


def _note(step: dict[str, Any]) -> Text:
    if step["error"]:
        return Text(step["error"], "red")
    if step["state"] == "running":
        return Text("  ".join(part for part in (amount(step), step["detail"], waits(step)) if part), "dim")
    return Text(amount(step) or waits(step), "dim")


def _bar(step: dict[str, Any]) -> Any:
    if step["state"] != "running" or step["done"] is None or not step["total"]:
        return ""
    return ProgressBar(total=float(step["total"]), completed=float(step["done"]), width=12)
