"""Asking a URL for a hook: what is sent, what is wanted, what is never done."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from multisite.domain.errors import Invalid
from multisite.jobs.model import StepFailed
from multisite.recovery.plans.outside import NOTHING, outside
from multisite.recovery.recover.hooks.call import LONGEST_SHOWN, Asked, ask


class Server:
    """Answers with ``statuses`` one after the other; ``seen``: paths, keys and bodies of requests."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.text = b"fine"
        self.seen: list[tuple[str, str | None, Any]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length) or b"null")
                server.seen.append((self.path, self.headers["Idempotency-Key"], body))
                self.send_response(server.statuses.pop(0) if server.statuses else 200)
                self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(server.text)

            def log_message(self, *_: object) -> None:
                pass

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/hook"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


def asked(server: Server, **more: Any) -> Asked:
    return Asked("POST", server.url, {"a": 1}, "job:hook-1", 5.0, **more)


def test_the_body_and_the_key_are_sent(server: Server) -> None:
    assert ask(asked(server)) == "HTTP 200: fine"
    assert server.seen == [("/hook", "job:hook-1", {"a": 1})]


def test_what_may_pass_is_asked_again_with_the_same_key(server: Server) -> None:
    server.statuses = [503, 429, 204]
    slept: list[float] = []
    assert ask(asked(server, retries=3), pause=slept.append).startswith("HTTP 204")
    assert {key for _, key, _ in server.seen} == {"job:hook-1"}
    assert slept == [1.0, 2.0]


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (503, 2)])
def test_another_status_fails(server: Server, status: int, tries: int) -> None:
    server.statuses = [status] * 3
    with pytest.raises(
        StepFailed, match=rf"HTTP {status}: fine \(tried {tries} times\): mend it, then resume"
    ):
        ask(asked(server, retries=1), pause=lambda _: None)


def test_the_statuses_that_are_expected(server: Server) -> None:
    server.statuses = [409, 200]
    assert ask(asked(server, expect=(409,))).startswith("HTTP 409")
    with pytest.raises(StepFailed, match="HTTP 200"):
        ask(asked(server, expect=(409,)))


def test_a_redirect_is_not_followed(server: Server) -> None:
    """It would lead to where the configuration allows nothing."""
    server.statuses = [302]
    with pytest.raises(StepFailed, match="HTTP 302"):
        ask(asked(server))
    assert [path for path, _, _ in server.seen] == ["/hook"]


def test_proxies_of_the_environment_are_not_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert ask(asked(server)) == "HTTP 200: fine"


def test_what_is_kept_of_an_answer_is_bounded(server: Server) -> None:
    server.text = b"\x1b[31m" + b"x" * 100_000
    said = ask(asked(server))
    assert len(said) < LONGEST_SHOWN + 20
    assert said.isprintable()


def test_nobody_there(server: Server) -> None:
    server.http.server_close()
    with pytest.raises(StepFailed, match="no answer"):
        ask(asked(server))


LISTED = outside(hook_urls=["https://hooks.example.org", "http://10.0.0.5:8080"])


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("https://hooks.example.org/a?b=c", True),
        ("https://hooks.example.org:443/a", True),
        ("https://HOOKS.example.org./a", True),
        ("http://10.0.0.5:8080/", True),
        ("http://hooks.example.org/", False),
        ("https://hooks.example.org:8443/", False),
        ("https://hooks.example.org.evil.org/", False),
        ("https://evil.org/?https://hooks.example.org", False),
        ("https://hooks.example.org@evil.org/", False),
        ("https://evil.org\\@hooks.example.org/", False),
        ("https://hooks.example.org/\r\nX: y", False),
        ("http://10.0.0.5/", False),
        ("http://127.0.0.1:8788/", False),
        ("http://[::1]/", False),
        ("http://169.254.169.254/latest/meta-data", False),
        ("file:///etc/passwd", False),
        ("//hooks.example.org/", False),
    ],
)
def test_only_listed_origins_may_be_asked(url: str, may: bool) -> None:
    assert LISTED.may_ask(url) is may
    assert not NOTHING.may_ask(url)


@pytest.mark.parametrize("text", ["hooks.example.org", "ftp://a", "https://u:p@h"])
def test_an_origin_that_is_none_is_named(text: str) -> None:
    with pytest.raises(Invalid, match=r"\[recovery_plans\] hook_urls: must"):
        outside(hook_urls=[text])
