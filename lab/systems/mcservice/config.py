"""Configuration of an MC service server: one TOML file becomes one frozen value."""

import tomllib
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class ConfigError(ValueError):
    """The configuration cannot be used; the message names file and setting."""


class McServiceConfig(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(description="Its host name, and the audience that a token must name.")]
    address: IPv4Address
    port: Annotated[int, Field(ge=0, le=65535)] = 5060
    core: Annotated[tuple[IPv4Address, ...], Field(min_length=1, description="S-CSCFs that it listens to.")]
    issuer: Annotated[str, Field(pattern=r"^https://[^/\s]+$", description="The system's own IdMS.")]
    ca: Annotated[Path, Field(description="Who vouches for the IdMS, PEM.")]
    mc_service_ids: Annotated[
        tuple[str, ...] | None, Field(description="MC service IDs that are served; none given: every one.")
    ] = None
    leeway_s: Annotated[float, Field(ge=0, le=60)] = 5.0
    authorisations_max: Annotated[int, Field(ge=1)] = 100_000


def load_config(path: Path) -> McServiceConfig:
    """Return the configuration in a file.

    Raises:
        ConfigError: it cannot be read, or a setting is unknown or impossible.
    """
    try:
        return McServiceConfig.model_validate(tomllib.loads(path.read_text()))
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror}") from exc
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        raise ConfigError(f"{path.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from exc
    except ValueError as exc:
        raise ConfigError(f"{path.name}: {exc}") from exc
