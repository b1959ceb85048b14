"""The command line's side of the admin API: one running server, asked over mutual TLS.

Its address and our certificate come from the server's own configuration file unless told: whoever may read its private
key may speak for it, if ``[admin] clients`` holds its name.
"""

import json
import tomllib
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from mmserver.configuration.api_admin import PREFIX
from mmserver.configuration.catalogue import MODELS, Kind, name_of, with_files_read
from mmserver.configuration.config import CmsConfig
from mmserver.configuration.peer import Peer
from mmserver.configuration.terms import Partner
from mmserver.http.settings import ConfigError, validate
from mmserver.http.tls import client_context

TIMEOUT_S: Final = 30.0
_ANYTHING: Any = Any
PLURALS: Final = {Kind.AGREEMENT: "agreements", Kind.USER: "users", Kind.GROUP: "groups"}


class AdminClient:
    """What an operator asks of a running server; every method raises PeerFailure."""

    def __init__(self, config: CmsConfig, url: str | None = None) -> None:
        """Prepare to ask.

        Raises:
            TlsError: a certificate, key or CA cannot be used.
        """
        context = client_context(config.admin.ca or config.mms.ca, config.tls.credentials())
        self._peer = Peer(url or config.initial_ue_configuration.cms, context, TIMEOUT_S)

    async def __aenter__(self) -> "AdminClient":
        """Return the client itself."""
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Close the connection."""
        await self._peer.close()

    async def get(self, path: str, **query: str | None) -> Any:
        """Return what stands at ``path``."""
        given = {key: value for key, value in query.items() if value is not None}
        return await self._peer.ask("GET", PREFIX + path, _ANYTHING, query=given or None)

    async def post(self, path: str, body: BaseModel | None = None) -> Any:
        """Have something done; return what it answers."""
        return await self._peer.ask("POST", PREFIX + path, _ANYTHING, body=body)

    async def put_entry(self, kind: Kind, entry: BaseModel) -> Any:
        """Set an entry; return it as it stands."""
        name = quote(name_of(entry), safe="")  # type: ignore[arg-type]  # one of MODELS
        return await self._peer.ask("PUT", f"{PREFIX}/{PLURALS[kind]}/{name}", _ANYTHING, body=entry)

    async def remove_entry(self, kind: Kind, name: str) -> None:
        """Take an entry away."""
        await self._peer.tell("DELETE", f"{PREFIX}/{PLURALS[kind]}/{quote(name, safe='')}")


def load_entry(kind: Kind, path: Path) -> BaseModel:
    """Return the entry in a JSON or TOML file, the files that it names read in.

    Raises:
        ConfigError: it cannot be used.
    """
    try:
        octets = path.read_bytes()
        data = json.loads(octets) if path.suffix == ".json" else tomllib.loads(octets.decode())
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror or exc}") from exc
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f"{path.name}: {exc}") from exc
    if not isinstance(data, dict):
        raise ConfigError(f"{path.name}: wanted one table")
    entry = validate(data, MODELS[kind], name=path.name, folder=path.parent)
    return with_files_read(entry) if isinstance(entry, Partner) else entry


def parsed(model: type[BaseModel], text: str) -> BaseModel:
    """Return JSON text as a body.

    Raises:
        ConfigError: it is none.
    """
    try:
        return model.model_validate_json(text)
    except ValidationError as exc:
        fault = exc.errors(include_url=False, include_input=False)[0]
        raise ConfigError(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}") from exc
