"""What a job may be made of is checked when it is accepted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pytest

from multisite.domain.errors import Invalid
from multisite.jobs import graph
from multisite.jobs.model import Step
from multisite.jobs.values import TEXT_LIMIT, decode, plain, text


def _step(name: str, *needs: str) -> Step:
    return Step(name, name, lambda ctx: None, needs=needs)


def test_steps_come_after_what_they_need_whatever_their_order() -> None:
    steps = [_step("d", "b", "c"), _step("c", "a"), _step("b", "a"), _step("a")]
    names = [step.name for step in graph.ordered(steps)]
    assert names[0] == "a"
    assert names[-1] == "d"
    assert graph.dependants(steps)["a"] == ("c", "b")
    assert graph.ancestors("d", steps) == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([_step("a"), _step("a")], "two steps are named 'a'"),
        ([_step("a", "z")], "'a' needs 'z', which is not a step"),
        ([_step("a", "b"), _step("b", "a")], "need each other"),
        ([_step("")], "1 to 200"),
    ],
)
def test_impossible_graphs_are_refused(steps: list[Step], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        graph.ordered(steps)


class Color(StrEnum):
    RED = "red"


class Secret(str):
    """A secret that does not print, as careful libraries have them; json would write it out in full."""

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__


def test_plain_values_are_copied() -> None:
    inner = [1, 2.5, None, True, "x"]
    value: dict[str, Any] = {"a": inner, "b": (1, Color.RED), "c": {}}
    copy = plain(value, "params")
    assert copy == {"a": [1, 2.5, None, True, "x"], "b": [1, "red"], "c": {}}
    assert type(copy["b"][1]) is str
    inner.append(3)
    assert len(copy["a"]) == 5
    json.dumps(copy)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": [{"b": object()}]}, r"params\.a\[0\]\.b: object is not plain JSON"),
        ({"a": b"bytes"}, r"params\.a: bytes"),
        ({1: "x"}, "a key of type int"),
        ({"a": float("nan")}, r"params\.a: nan"),
        ({"a": {1, 2}}, r"params\.a: set"),
        ({"password": Secret("hunter2")}, r"params\.password: Secret is not plain JSON"),
        ({Secret("hunter2"): 1}, "a key of type Secret"),
    ],
)
def test_other_values_are_refused_without_showing_them(value: Any, words: str) -> None:
    assert "hunter2" in json.dumps({"x": Secret("hunter2")})  # the trap this closes
    with pytest.raises(Invalid, match=words) as caught:
        plain(value, "params")
    assert "hunter2" not in str(caught.value)


def test_text_is_plain_and_not_endless() -> None:
    assert len(text("x" * 10_000, "event")) == TEXT_LIMIT
    with pytest.raises(Invalid, match="Secret is not plain text"):
        text(Secret("hunter2"), "event")


@dataclass(frozen=True)
class Part:
    color: Color
    ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Made:
    id: str
    parts: tuple[Part, ...]


def test_dataclasses_are_stored_as_json_and_read_back() -> None:
    made = Made("n1", (Part(Color.RED, ("a", "b")),))
    stored = plain(made, "result")
    assert stored == {"id": "n1", "parts": [{"color": "red", "ids": ["a", "b"]}]}
    assert decode(json.loads(json.dumps(stored)), Made, "result") == made
    assert decode([{"id": "x"}], list[dict[str, str]], "result") == [{"id": "x"}]
    older = {"id": "n1", "parts": [{"color": "red", "gone": 1}], "gone": 2}
    assert decode(older, Made, "result") == Made("n1", (Part(Color.RED),))


def test_a_stored_value_of_another_shape_is_refused_without_showing_it() -> None:
    with pytest.raises(Invalid, match=r"result of step s: not a Made: id: .*parts\.0\.color") as caught:
        decode({"id": 7, "parts": [{"color": "hunter2"}]}, Made, "result of step s")
    assert "hunter2" not in str(caught.value)


def test_a_secret_within_a_dataclass_is_refused() -> None:
    with pytest.raises(Invalid, match=r"result\.id: Secret is not plain JSON"):
        plain(Made(Secret("hunter2"), ()), "result")
