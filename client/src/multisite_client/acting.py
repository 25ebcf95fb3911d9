"""What all verbs that change something share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openstack import exceptions, proxy

from multisite_client.resources import Json


class Acting(proxy.Proxy):
    """A proxy that can ask for an action."""

    def act(self, path: str, body: Mapping[str, Any] | None = None) -> Json:
        """POST, and the answer's body.  Raises kinds of ``openstack.exceptions.HttpException``."""
        answer = self.post(path, json=body) if body is not None else self.post(path)
        exceptions.raise_from_response(answer)
        content: Json = answer.json() if answer.content else {}
        return content
