"""How an RPO is shown: a line of bars, with what was over the target and what is unknown."""

from __future__ import annotations

from typing import Any

from multisite_client.osc import rpo


def sample(lost: float | None, state: str = "met", target: int | None = 7200) -> dict[str, Any]:
    return {"at": "2026-03-01T00:00:00Z", "lost_seconds": lost, "state": state, "target_seconds": target}


def test_bars_reach_the_target_and_say_what_was_over_it() -> None:
    over, bars, said = rpo.plot([sample(0), sample(3600), sample(7200), sample(14400, "missed")]).split("\n")
    assert bars == rpo.BARS[0] + rpo.BARS[2] + rpo.BARS[4] + rpo.BARS[7]
    assert over == "   !"
    assert "highest 4 h 0 min" in said


def test_unknown_is_no_bar() -> None:
    assert rpo.plot([sample(0), sample(None, "unknown"), sample(3600)]).split("\n")[0][1] == "?"


def test_a_long_series_fits_in_a_line() -> None:
    assert len(rpo.plot([sample(60)] * 500).split("\n")[0]) <= rpo.WIDTH
    assert rpo.plot([]) == "no samples yet"


def test_in_a_list() -> None:
    now = {"state": "missed", "lost_seconds": 9000.0, "target_seconds": 7200}
    assert rpo.in_a_list(now) == "missed (2 h 30 min of 2 h 0 min)"
    assert rpo.in_a_list(now | {"lost_bytes": 3 * 2**20}).endswith(" of 2 h 0 min, about 3.0 MiB)")
    assert rpo.in_a_list(now | {"state": "unknown", "lost_seconds": None}) == "unknown"
    assert rpo.in_a_list(now | {"state": "no target", "target_seconds": None}) == "no target"
