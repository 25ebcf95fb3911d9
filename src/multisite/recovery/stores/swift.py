"""A backup store that is a container of Swift, or of what speaks it (Ceph): through keystoneauth.

Source: https://docs.openstack.org/api-ref/object-store/.  The account is an entry of clouds.yaml: any login that
keystoneauth knows, Swift's own first one too (``auth_type: v1password``, of python-swiftclient).  A put is whole or not
at all, and its content is checked by the server (``ETag``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from keystoneauth1.exceptions import ClientException
from openstack.exceptions import SDKException
from requests import Response
from requests.exceptions import RequestException

from multisite.clouds.connect import open_site
from multisite.domain import fence
from multisite.domain.errors import Invalid
from multisite.recovery.stores.base import StoreHangs, StoreUnavailable, Unreadable
from multisite.recovery.stores.flat import ATTEMPTS, CONNECT_SECONDS, PAGE, READ_SECONDS, FlatStore


@dataclass(frozen=True)
class Container:
    """Where manifests are kept.  ``cloud``: an entry of ``config_file``, a clouds.yaml."""

    name: str
    cloud: str
    config_file: Path
    prefix: str = ""


class SwiftStore(FlatStore):
    """An ``ObjectStore``."""

    cinder_drivers = frozenset({"swift"})

    def __init__(self, container: Container) -> None:
        super().__init__(container.prefix)
        self._container = container
        self.place = f"swift://{container.name}/{self._prefix} of {container.cloud}"
        self._made: Any = None

    def shown(self, key: str) -> str:
        return f"swift://{self._container.name}/{self._name(key)}"

    def look(self) -> None:
        answer = self._ask("HEAD", "")
        if answer.status_code == 404:
            raise self._unavailable("there is no such container: make it first")
        self._accept(answer)

    def get(self, key: str, largest: int) -> bytes | None:
        answer = self._ask("GET", self._name(key), stream=True)
        with answer:
            if answer.status_code == 404:
                return None
            if answer.status_code >= 500:
                self._accept(answer)
            if not answer.ok:
                self.look()
                raise Unreadable(f"{self.shown(key)}: cannot be read: HTTP {answer.status_code}")
            if int(answer.headers.get("Content-Length", 0)) > largest:
                raise Unreadable(f"{self.shown(key)}: more than {largest} bytes: not written by Multisite")
            try:
                data = answer.content
            except RequestException as error:
                raise self._silent(error) from error
        if len(data) != int(answer.headers.get("Content-Length", len(data))):
            raise self._unavailable(f"{self.shown(key)} ended before its end: try again")
        return data

    def put(self, key: str, data: bytes, *, replace: bool = True, keep: bool = False) -> bool:  # noqa: ARG002
        digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
        headers = {"ETag": digest, "Content-Type": "application/octet-stream"}
        if not replace:
            headers["If-None-Match"] = "*"
        fence.check()
        # Not repeated: whether a put without an answer was made is not known, and a second one would find it.
        answer = self._ask("PUT", self._name(key), attempts=1, headers=headers, data=data)
        if answer.status_code == 412 and not replace:
            return False
        self._accept(answer)
        return True

    def holds(self, container: str, name: str) -> bool | None:
        answer = self._ask("HEAD", name, container=container)
        if answer.status_code == 404:
            return None  # a container of that name may be elsewhere, too
        self._accept(answer)
        return True

    def versions(self, key: str) -> Iterator[bytes]:
        """What it is now: Swift keeps no others that whoever has the account could not remove."""
        data = self.get(key, 1 << 30)
        if data is not None:
            yield data

    def ever(self, folder: str) -> frozenset[str]:
        return frozenset(self.names(folder))

    def _list(self, prefix: str, delimiter: str) -> Iterator[str]:
        query = {"format": "json", "prefix": prefix, "delimiter": delimiter, "limit": str(PAGE), "marker": ""}
        while True:
            answer = self._ask("GET", "", params={name: value for name, value in query.items() if value})
            self._accept(answer)
            page = [entry.get("name") or entry["subdir"] for entry in answer.json()] if answer.content else []
            yield from page
            if not page:
                return
            query["marker"] = page[-1]

    def _remove(self, name: str) -> None:
        answer = self._ask("DELETE", name)
        if answer.status_code != 404:
            self._accept(answer)

    def _ask(
        self,
        method: str,
        name: str,
        *,
        container: str | None = None,
        attempts: int = ATTEMPTS,
        **options: Any,
    ) -> Response:
        """StoreUnavailable without an answer; any answer there is."""
        path = "/".join(quote(part, safe="/") for part in (container or self._container.name, name) if part)
        for attempt in range(1, attempts + 1):
            try:
                answer = self._session().request(f"/{path}", method, raise_exc=False, log=False, **options)
            except (ClientException, SDKException, RequestException, Invalid) as error:
                if attempt == attempts:
                    raise self._silent(error) from error
            else:
                if answer.status_code < 500 or attempt == attempts:
                    return cast("Response", answer)
        raise AssertionError("unreachable")

    def _session(self) -> Any:
        """One for all threads, made when it is needed first; two at once do no harm."""
        if self._made is None:
            container = self._container
            site = open_site(
                "backup store", container.cloud, container.config_file, READ_SECONDS, CONNECT_SECONDS
            )
            self._made = site.conn.object_store
        return self._made

    def _accept(self, answer: Response) -> None:
        if not answer.ok:
            words = {401: "login refused", 403: "not allowed", 404: "not found"}
            why = words.get(answer.status_code, answer.reason or "")
            raise self._unavailable(f"HTTP {answer.status_code} {why}: see the entry of clouds.yaml")

    def _silent(self, error: Exception) -> StoreUnavailable:
        return StoreHangs(f"backup store {self.place}: {error}: {self.remedy}")

    def _unavailable(self, why: str) -> StoreUnavailable:
        return StoreUnavailable(f"backup store {self.place}: {why}")
