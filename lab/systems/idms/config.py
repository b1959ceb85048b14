"""Configuration of an identity management server: one TOML file becomes one frozen value.

Names of files are relative to the configuration file.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

MC_SERVICE_CLAIMS = ("mcptt_id", "mcvideo_id", "mcdata_id")


class ConfigError(ValueError):
    """The configuration cannot be used; the message names file and setting."""


class Table(BaseModel):
    """A table of the file; an unknown setting is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _issuer(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or text.endswith("/"):
        raise ValueError("wanted https://host[:port][/path] without a slash at the end")
    return text


Issuer = Annotated[str, Field(max_length=255), AfterValidator(_issuer)]
McServiceId = Annotated[str, Field(min_length=3, max_length=255, pattern=r"^[A-Za-z][A-Za-z0-9+.\-]*:\S+$")]


class System(Table):
    """Who this server is."""

    issuer: Issuer
    audiences: Annotated[
        tuple[str, ...], Field(description="`aud` of access tokens; default: cms.DOMAIN of an issuer idms.DOMAIN.")
    ] = ()


class Http(Table):
    """Where it listens."""

    address: str
    port: Annotated[int, Field(ge=0, le=65535)] = 443


class Tls(Table):
    """Certificate chain and key of the server, PEM."""

    certificate: Path
    private_key: Path


class Keys(Table):
    """The signing key, PEM: EC P-256 (ES256) or RSA (RS256)."""

    private_key: Path


class User(Table):
    """An MC user.  One MC service ID serves MCPTT, MCVideo and MCData; several are theirs in that order."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[str, Field(min_length=1, max_length=256, repr=False)]
    mc_service_ids: Annotated[tuple[McServiceId, ...], Field(min_length=1, max_length=len(MC_SERVICE_CLAIMS))]


class Client(Table):
    """A registered native MC client (TS 33.180 B.3): public, without a secret."""

    client_id: Annotated[str, Field(min_length=1, max_length=128)]
    redirect_uris: tuple[str, ...] = ()


class Partner(Table):
    """An identity management server of a partner: target of our security tokens, issuer of assertions to us."""

    issuer: Issuer
    jwks_file: Annotated[Path, Field(description="The partner's public keys, brought out of band.")]
    mc_service_id_mapping: Annotated[
        Literal["same", "listed"], Field(description="`listed`: an MC service ID not in the table is refused.")
    ] = "same"
    mc_service_ids: Annotated[dict[McServiceId, McServiceId], Field(description="Theirs to ours.")] = {}
    mc_service_id_domains: Annotated[
        tuple[str, ...], Field(description="Domains whose MC service IDs this partner may assert; empty: any.")
    ] = ()


class Lifetimes(Table):
    """Seconds."""

    access_token_s: Annotated[int, Field(ge=1, le=86400)] = 3600
    id_token_s: Annotated[int, Field(ge=1, le=86400)] = 3600
    security_token_s: Annotated[int, Field(ge=1, le=3600)] = 120
    refresh_token_s: Annotated[int, Field(ge=1, le=30 * 86400)] = 86400
    code_s: Annotated[int, Field(ge=1, le=600)] = 60
    leeway_s: Annotated[int, Field(ge=0, le=30, description="Clock skew; TS 33.180 B.8 allows 30.")] = 30


class Limits(Table):
    """Upper bounds."""

    codes_max: Annotated[int, Field(ge=1)] = 10_000
    refresh_tokens_max: Annotated[int, Field(ge=1)] = 100_000
    seen_assertions_max: Annotated[int, Field(ge=1)] = 100_000
    body_octets_max: Annotated[int, Field(ge=1024)] = 32_768


class IdmsConfig(Table):
    """The whole file."""

    system: System
    http: Http
    tls: Tls
    keys: Keys
    users: tuple[User, ...] = ()
    clients: tuple[Client, ...] = ()
    partners: tuple[Partner, ...] = ()
    lifetimes: Lifetimes = Lifetimes()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _distinct(self) -> "IdmsConfig":
        for what, names in (
            ("users", [user.name for user in self.users]),
            ("clients", [client.client_id for client in self.clients]),
            ("partners", [partner.issuer for partner in self.partners]),
        ):
            if len(set(names)) != len(names):
                raise ValueError(f"{what}: a name stands twice")
        if self.system.issuer in [partner.issuer for partner in self.partners]:
            raise ValueError("partners: our own issuer is no partner")
        return self

    @property
    def audiences(self) -> tuple[str, ...]:
        """`aud` of access tokens."""
        if self.system.audiences:
            return self.system.audiences
        host = urlsplit(self.system.issuer).hostname or ""
        return ("cms." + host.partition(".")[2],)


def load_config(path: Path) -> IdmsConfig:
    """Return the configuration in ``path``, its file names made absolute.

    Raises:
        ConfigError: unreadable, not TOML, or a setting is wrong.
    """
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except OSError as exc:
        raise ConfigError(f"{path.name}: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise ConfigError(f"{path.name}: {exc}") from exc
    try:
        config = IdmsConfig.model_validate(document)
    except ValidationError as exc:
        raise ConfigError(f"{path.name}: {_first_error(exc)}") from exc
    return _with_absolute_paths(config, path.absolute().parent)


def _first_error(exc: ValidationError) -> str:
    error = exc.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{place}: no such setting"
    return f"{place}: {error['msg']}" if place else error["msg"]


def _with_absolute_paths(config: IdmsConfig, base: Path) -> IdmsConfig:
    tls = Tls(certificate=base / config.tls.certificate, private_key=base / config.tls.private_key)
    keys = Keys(private_key=base / config.keys.private_key)
    partners = tuple(p.model_copy(update={"jwks_file": base / p.jwks_file}) for p in config.partners)
    return config.model_copy(update={"tls": tls, "keys": keys, "partners": partners})
