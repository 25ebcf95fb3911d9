"""What all verbs that change something share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, TypeVar

from openstack import exceptions, proxy

from multisite_client.resources import Json, Noun
from multisite_client.urls import segment

NounT = TypeVar("NounT", bound=Noun)
LARGEST_PAGE = 1000
"""What the service gives at most in one answer."""


class Acting(proxy.Proxy):
    """A proxy that can ask for an action.  Paths are made by ``urls.url``."""

    def fetch(self, kind: type[NounT], id: str) -> NounT:
        """GET one."""
        found: NounT = self._get(kind, segment(id, kind.base_path.strip("/")))
        return found

    def delete_one(self, kind: type[Noun], id: str) -> None:
        """DELETE one whose removal is no job."""
        self._delete(kind, segment(id, kind.base_path.strip("/")), ignore_missing=False)

    def pages(self, kind: type[NounT], *, limit: int | None = None, **query: Any) -> Iterator[NounT]:
        """Those of a list, asked for page by page: all, or the first ``limit``; after the one with id ``marker``."""
        if limit is None:
            return self._list(kind, **query)
        return islice(self._list(kind, limit=min(limit, LARGEST_PAGE), **query), limit)

    def act(self, path: str, body: Mapping[str, Any] | None = None) -> Json:
        """POST, and the answer's body.  Raises kinds of ``openstack.exceptions.HttpException``."""
        answer = self.post(path, json=body) if body is not None else self.post(path)
        exceptions.raise_from_response(answer)
        content: Json = answer.json() if answer.content else {}
        return content

    def change(self, path: str, body: Mapping[str, Any]) -> Json:
        """PATCH, and the answer's body."""
        answer = self.patch(path, json=body)
        exceptions.raise_from_response(answer)
        content: Json = answer.json()
        return content

    def read(self, path: str) -> Json:
        """GET, and the answer's body."""
        answer = self.get(path)
        exceptions.raise_from_response(answer)
        content: Json = answer.json()
        return content

    def remove(self, path: str, **query: str) -> str | None:
        """DELETE; the id of the job that carries it out, None when nothing was left to do."""
        answer = self.delete(path, params=query)
        exceptions.raise_from_response(answer)
        job_id: str | None = answer.json()["job_id"]
        return job_id
