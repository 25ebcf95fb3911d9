"""A topology from a JSON file, for the key service alone: the fields are those of ``multisite.identity.topology``."""

from __future__ import annotations

from pathlib import Path

from multisite.domain.errors import Invalid
from multisite.identity.topology import Topology


def load(path: Path) -> Topology:
    """Raises Invalid, naming file and field."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(Topology).validate_json(path.read_bytes())
    except OSError as error:
        raise Invalid(f"{path}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise Invalid(f"{path}: {'.'.join(map(str, first['loc'])) or 'document'}: {first['msg']}") from None
