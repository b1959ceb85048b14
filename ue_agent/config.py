"""The UE agent's configuration file: one TOML file into one frozen value.

``error: ue.toml: sip.port: 70000 is more than 65535``.  A relative path means a file beside the configuration file.
K and OPc are read here and shown nowhere.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretBytes,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from mmserver.messages import DomainText, IdentitySet, ImpiText, ImpuText, LocationInformation, McServiceIds, SystemName
from ue_agent.aka.isim import Isim
from ue_agent.aka.milenage import opc_of
from ue_agent.errors import ConfigError

CONFIG_OCTETS_MAX: Final = 1 << 20
KEY_OCTETS: Final = 16

# A route that pjsip may be given: nothing but scheme, host, port and transport (RFC 3261 §19.1.1).
SIP_ROUTE: Final = (
    r"^sip:([A-Za-z0-9][A-Za-z0-9.\-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?(;transport=(udp|tcp))?(;lr)?$"
)
SipRoute = Annotated[str, Field(pattern=SIP_ROUTE, examples=["sip:10.77.1.10:5060"])]
HttpsUrl = Annotated[str, Field(pattern=r"^https://[^\s/?#]+(/[^\s?#]*)?$", max_length=2048)]


def _beside_the_file(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    return path if folder is None or path.is_absolute() else Path(folder) / path


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise ValueError(f"no such file: {path}")
    return path


ConfigPath = Annotated[Path, AfterValidator(_beside_the_file)]
ConfigFile = Annotated[Path, AfterValidator(_beside_the_file), AfterValidator(_existing)]


class Table(BaseModel):
    """A table of the configuration file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class UeTable(Table):
    """``[ue]``: the device."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.\-]{0,62}$")]
    state_dir: Annotated[ConfigPath, Field(description="Sequence numbers and each system's configuration; mode 0700.")]


class IsimTable(Table):
    """``[isim]``: the card (TS 31.103 §4.2) and its key."""

    private_user_identity: ImpiText
    public_user_identities: Annotated[tuple[ImpuText, ...], Field(min_length=1, max_length=16)]
    home_domain: DomainText
    p_cscf: Annotated[tuple[SipRoute, ...], Field(min_length=1, max_length=8)]
    k: Annotated[SecretBytes, Field(description="K, 32 hexadecimal digits.")]
    opc: Annotated[SecretBytes | None, Field(description="OPc, 32 hexadecimal digits; or op.")] = None
    op: Annotated[SecretBytes | None, Field(description="OP, 32 hexadecimal digits; or opc.")] = None
    wrong_key: Annotated[
        SecretBytes | None, Field(description="Used in place of K, to see a network fail at this card.")
    ] = None

    @field_validator("k", "opc", "op", "wrong_key", mode="before")
    @classmethod
    def _key(cls, text: object) -> object:
        try:
            octets = bytes.fromhex(text) if isinstance(text, str) else b""
        except ValueError:
            octets = b""
        if len(octets) != KEY_OCTETS:
            raise ValueError("not 32 hexadecimal digits")
        return octets

    @model_validator(mode="after")
    def _one_of_op_and_opc(self) -> "IsimTable":
        if (self.opc is None) == (self.op is None):
            raise ValueError("exactly one of opc and op is wanted")
        IdentitySet(
            private_user_identity=self.private_user_identity, public_user_identities=self.public_user_identities
        )
        return self

    @property
    def identities(self) -> IdentitySet:
        """The default set of the card."""
        return IdentitySet(
            private_user_identity=self.private_user_identity, public_user_identities=self.public_user_identities
        )

    def card(self, state: tuple[int, ...] | None) -> Isim:
        """Return the ISIM at the sequence numbers ``state``, a new one without.

        Raises:
            ValueError: ``state`` is not the state of a card.
        """
        k = (self.wrong_key or self.k).get_secret_value()
        opc = self.opc.get_secret_value() if self.opc else opc_of(self.k.get_secret_value(), self._op())
        return Isim(
            self.private_user_identity, self.public_user_identities, self.home_domain, self.p_cscf, k, opc, state
        )

    def _op(self) -> bytes:
        assert self.op is not None
        return self.op.get_secret_value()


class UserTable(Table):
    """``[user]``: the MC service user and the client that the identity management servers know."""

    mc_service_ids: McServiceIds
    username: Annotated[str, Field(min_length=1, max_length=255)]
    password: SecretStr
    client_id: Annotated[str, Field(min_length=1, max_length=255)]
    redirect_uri: Annotated[str, Field(description="Of the client, for code + PKCE; never fetched.")] = (
        "http://127.0.0.1/callback"
    )
    scope: Annotated[str, Field(description="TS 33.180 B.4.2.2; the CMS wants one for configuration management.")] = (
        "openid 3gpp:mc:ptt_service 3gpp:mc:ptt_config_management_service"
    )


class PrimaryTable(Table):
    """``[primary]``: the user's primary MC system."""

    system: SystemName
    idms: Annotated[HttpsUrl, Field(description="Issuer of the identity management server.")]
    cms: HttpsUrl
    ca: Annotated[ConfigFile, Field(description="CA certificates of the system, PEM.")]


class SipTable(Table):
    """``[sip]``: the signalling user agent."""

    transport: Literal["udp", "tcp"] = "udp"
    port: Annotated[int, Field(ge=0, le=65535, description="Local port; 0 takes a free one.")] = 0
    expires_s: Annotated[int, Field(ge=60, le=604800)] = 600
    timeout_s: Annotated[float, Field(gt=0, le=600, description="Over SIP's own 32 s (RFC 3261, timer F).")] = 45.0
    access_network_info: Annotated[str, Field(pattern=r"^[\x20-\x7e]{0,255}$")] = "3GPP-E-UTRAN-FDD"


class HttpTable(Table):
    """``[http]``: limits of the HTTP clients."""

    timeout_s: Annotated[float, Field(gt=0, le=600)] = 15.0
    response_octets_max: Annotated[int, Field(ge=1024, le=1 << 24)] = 1 << 20


class UeConfig(Table):
    """One MC service UE."""

    ue: UeTable
    isim: IsimTable
    user: UserTable
    primary: PrimaryTable
    sip: SipTable = SipTable()
    http: HttpTable = HttpTable()
    location: Annotated[
        LocationInformation | None, Field(description="Where the UE is, when a command does not say.")
    ] = None


def load_config(path: Path) -> UeConfig:
    """Return the configuration in ``path``.

    Raises:
        ConfigError: it cannot be read, is not TOML, or breaks a constraint; one line, without any secret.
    """
    try:
        with path.open("rb") as file:
            octets = file.read(CONFIG_OCTETS_MAX + 1)
        if len(octets) > CONFIG_OCTETS_MAX:
            raise ConfigError(f"{path.name}: over {CONFIG_OCTETS_MAX} octets")
        return UeConfig.model_validate(tomllib.loads(octets.decode()), context={"folder": path.parent})
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror or exc}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise ConfigError(f"{path.name}: {exc}") from exc
    except ValidationError as exc:
        raise ConfigError(f"{path.name}: {_first_fault(exc)}") from None


def _first_fault(exc: ValidationError) -> str:
    error = exc.errors(include_url=False)[0]
    where = ".".join(str(part) for part in error["loc"]) or "file"
    context: dict[str, Any] = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            what = "no such setting"
        case "missing":
            what = "is missing"
        case "less_than_equal":
            what = f"{error['input']} is more than {context['le']}"
        case "greater_than_equal":
            what = f"{error['input']} is less than {context['ge']}"
        case _:
            what = error["msg"].removeprefix("Value error, ")
    return f"{where}: {what}"
