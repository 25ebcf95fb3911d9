"""What the demo found out: the table a manager understands and the same as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Guest:
    """``record`` is what the recovered guest itself reports, ``expected_record`` what the manifest says."""

    name: str
    consistent: bool
    record: int | None
    expected_record: int | None
    journal: str

    @property
    def held(self) -> bool:
        return self.consistent and self.record == self.expected_record


@dataclass
class Result:
    """Durations in seconds."""

    frozen_window_s: dict[str, float] = field(default_factory=dict)
    frozen_all_s: float = 0.0
    rto_s: float = 0.0
    rpo_s: float = 0.0
    setup_s: float = 0.0
    deploy_s: float = 0.0
    protect_full_s: float = 0.0
    protect_incremental_s: float = 0.0
    total_s: float = 0.0
    guests: list[Guest] = field(default_factory=list)
    quiesced: bool = True

    @property
    def held(self) -> bool:
        return bool(self.guests) and all(g.held for g in self.guests)

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self) | {"held": self.held}, indent=2) + "\n")

    def show(self, console: Console) -> None:
        guests = Table(title="Each recovered guest, in its own words", title_justify="left")
        for column in ("server", "frozen for", "root and data agree", "file systems", "last record"):
            guests.add_column(column)
        guests.add_column("manifest says")
        guests.add_column("")
        for g in self.guests:
            mark = "[green]proven" if g.held else "[red]NOT PROVEN"
            window = self.frozen_window_s.get(g.name)
            guests.add_row(
                g.name, f"{window:.2f} s" if window else "-", "yes" if g.consistent else "[red]NO",
                g.journal, str(g.record), str(g.expected_record), mark,
            )  # fmt: skip
        console.print(guests)
        summary = Table(title="Summary", title_justify="left", show_header=False)
        for claim, value in self._claims():
            summary.add_row(claim, value)
        verdict = "[bold green]HELD: every guest is proven consistent" if self.held else "[bold red]NOT HELD"
        summary.add_row("Verdict", verdict)
        console.print(summary)

    def _claims(self) -> list[tuple[str, str]]:
        protections = f"{self.protect_full_s:.0f} s, {self.protect_incremental_s:.0f} s"
        return [
            ("The site was lost; the application runs again after (RTO)", f"[bold]{self.rto_s:.1f} s"),
            ("Work lost: the data is older than the loss by (RPO)", f"[bold]{self.rpo_s:.1f} s"),
            ("The application stood still for protection", f"{self.frozen_all_s:.2f} s"),
            ("Protection: full, then incremental", protections),
            (
                "Setting up two sites, deploying the application",
                f"{self.setup_s:.0f} s, {self.deploy_s:.0f} s",
            ),
            ("Everything together", f"{self.total_s:.0f} s"),
        ]
