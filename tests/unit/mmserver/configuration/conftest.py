"""Two MC systems' configuration as values, and migration management servers that hold bindings in memory."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from mmserver.configuration.catalogue import Catalogue, make_catalogue
from mmserver.configuration.config import CmsConfig
from mmserver.configuration.dry_run import Trial
from mmserver.configuration.errors import BindingNotFound
from mmserver.configuration.procedure import PartnerSide
from mmserver.http.settings import validate
from mmserver.messages import (
    AgreementAtMms,
    Binding,
    BindingState,
    ConnectionDetailsRequest,
    IdentitySet,
    PartnerSipIdentitiesResponse,
    PrimarySipIdentitiesResponse,
    Restored,
    Role,
    StandingWithdrawal,
)

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
VALID_UNTIL = NOW + timedelta(days=1)
ALICE = "sip:alice@mc1.lab"


def ue_configuration(system: str) -> dict[str, Any]:
    return {
        "mc_system": system,
        "home_domain": f"ims.{system}.lab",
        "p_cscf": ["sip:10.77.2.10:5060"],
        "plmn": "00102",
        "idms_issuer": f"https://idms.{system}.lab",
        "idms_auth_endpoint": f"https://idms.{system}.lab/authorize",
        "idms_token_endpoint": f"https://idms.{system}.lab/token",
        "cms": f"https://cms.{system}.lab",
        "gms": f"https://gms.{system}.lab",
        "kms": f"https://kms.{system}.lab",
    }


def partner_table(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "cms": f"https://cms.{name}.lab",
        "ca": "ca.pem",
        "client_name": f"cms.{name}.lab",
        "migration_management_servers": [f"mms.{name}.lab"],
        "realms": [f"ims.{name}.lab"],
        "outbound_users": "*",
        "inbound_users": "*",
        **changes,
    }


def tables(name: str, /, *partners: dict[str, Any], **changes: Any) -> dict[str, Any]:
    system = name
    return {
        "system": {"name": system, "home_domain": f"ims.{system}.lab"},
        "http": {"address": "127.0.0.1", "port": 0},
        "tls": {"certificate": "certificate.pem", "private_key": "private_key.pem"},
        "mms": {"url": f"https://mms.{system}.lab", "ca": "ca.pem"},
        "idms": {"issuer": f"https://idms.{system}.lab", "ca": "ca.pem", "audience": f"cms.{system}.lab"},
        "users": [
            {
                "mc_service_id": f"sip:{user}@{system}.lab",
                "migration": user != "dave",
                "isims": [
                    {
                        "private_user_identity": f"{user}@ims.{system}.lab",
                        "public_user_identities": [f"sip:{user}@ims.{system}.lab", f"sip:{user}.2@ims.{system}.lab"],
                    }
                ],
            }
            for user in ("alice", "carol", "dave")
        ],
        "partners": list(partners),
        "initial_ue_configuration": ue_configuration(system),
        **changes,
    }


MakeConfig = Callable[..., CmsConfig]


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the certificate files that a configuration names."""
    folder = tmp_path_factory.mktemp("cms")
    authority = trustme.CA()
    certificate = authority.issue_cert("cms.mc1.lab")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    (folder / "certificate.pem").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    (folder / "private_key.pem").write_bytes(certificate.private_key_pem.bytes())
    return folder


@pytest.fixture
def make_config(files: Path) -> MakeConfig:
    def make(name: str, /, *partners: dict[str, Any], **changes: Any) -> CmsConfig:
        return validate(tables(name, *partners, **changes), CmsConfig, name="cms.toml", folder=files)

    return make


@pytest.fixture
def request_of() -> Callable[..., ConnectionDetailsRequest]:
    def make(user: str = "alice", **changes: Any) -> ConnectionDetailsRequest:
        body = {
            "location_information": {"tracking_area": "00102-0002"},
            "mc_service_ids": [f"sip:{user}@mc1.lab"],
            "default_identities": {
                "private_user_identity": f"{user}@ims.mc1.lab",
                "public_user_identities": [f"sip:{user}@ims.mc1.lab"],
            },
            **changes,
        }
        return ConnectionDetailsRequest.model_validate_json(json.dumps(body))

    return make


class MemoryMms:
    """A migration management server whose bindings are a dict; sets are numbered."""

    def __init__(self, system: str) -> None:
        self.system = system
        self.bindings: dict[str, Binding] = {}
        self.calls: list[str] = []
        self.fail: dict[str, Exception] = {}
        self.standing_ones: list[StandingWithdrawal] = []
        self.agreed: list[AgreementAtMms] = []

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name in self.fail:
            raise self.fail[name]

    async def primary_identities(self, request) -> PrimarySipIdentitiesResponse:
        self._called("primary_identities")
        binding = self._lend(Role.PRIMARY, request.partner_mc_system, self.identifier, request.default_identities)
        return PrimarySipIdentitiesResponse(
            binding=binding.binding,
            primary_mc_system_sip_identities=binding.identities,
            migration_management_server=self.identifier,
            state=binding.state,
            valid_until=min(VALID_UNTIL, request.valid_until or VALID_UNTIL),
        )

    async def partner_identities(self, request) -> PartnerSipIdentitiesResponse:
        self._called("partner_identities")
        identities = request.primary_mc_system_sip_identities
        binding = self._lend(Role.PARTNER, request.primary_mc_system, request.migration_management_server, identities)
        return PartnerSipIdentitiesResponse(
            binding=binding.binding,
            partner_mc_system_sip_identities=binding.identities,
            state=binding.state,
            valid_until=min(VALID_UNTIL, request.valid_until or VALID_UNTIL),
        )

    async def try_primary_identities(self, request) -> None:
        self._called("primary_identities")

    async def try_partner_identities(self, request) -> None:
        self._called("partner_identities")

    async def disable(self, binding: str, reason: str) -> None:
        self._called("disable")
        self._set(binding, enabled=False)

    async def enable(self, binding: str, reason: str) -> None:
        self._called("enable")
        self._set(binding, enabled=True)

    async def withdraw(self, request) -> StandingWithdrawal:
        self._called("withdraw")
        self.standing_ones.append(
            StandingWithdrawal(
                withdrawal=f"w-{len(self.calls)}",
                role=request.role,
                other_mc_system=request.other_mc_system,
                mc_service_id=request.mc_service_id,
                at=NOW,
                reason=request.reason,
            )
        )
        return self.standing_ones[-1]

    async def standing(self, other_mc_system: str | None) -> list[StandingWithdrawal]:
        return [one for one in self.standing_ones if other_mc_system in (None, one.other_mc_system)]

    async def lift(self, withdrawal: str, reason: str) -> Restored:
        self._called("lift")
        self.standing_ones = [one for one in self.standing_ones if one.withdrawal != withdrawal]
        return Restored(withdrawal=withdrawal, enabled=1)

    async def agreements(self) -> list[AgreementAtMms]:
        self._called("agreements")
        return self.agreed

    async def confirm(self, binding: str, reason: str) -> None:
        self._called("confirm")
        self._set(binding, state=BindingState.ALLOCATED)

    async def release(self, binding: str, reason: str) -> None:
        self._called("release")
        if self.bindings.pop(binding, None) is None:
            raise BindingNotFound("gone")

    async def find(self, role: Role, other_mc_system: str, private_user_identity: str) -> list[Binding]:
        self._called("find")
        return [
            one
            for one in self.bindings.values()
            if one.role is role
            and one.other_mc_system == other_mc_system
            and private_user_identity in (one.identities.private_user_identity, one.counterpart.private_user_identity)
        ]

    @property
    def identifier(self) -> str:
        return f"mms.{self.system}.lab"

    def _set(self, handle: str, **changes: Any) -> None:
        if handle not in self.bindings:
            raise BindingNotFound("gone")
        self.bindings[handle] = self.bindings[handle].model_copy(update=changes)

    def _lend(self, role: Role, other: str, mms: str, counterpart: IdentitySet) -> Binding:
        for one in self.bindings.values():
            if (one.role, one.other_mc_system, one.counterpart) == (role, other, counterpart):
                return one
        number = len(self.calls)
        count = len(counterpart.public_user_identities)
        domain = f"ims.{self.system}.lab"
        binding = Binding(
            binding=f"{self.system}-{number}",
            role=role,
            state=BindingState.HELD,
            enabled=True,
            mc_service_ids=(ALICE,),
            other_mc_system=other,
            migration_management_server=mms,
            identities=IdentitySet(
                private_user_identity=f"mig-{number}@{domain}",
                public_user_identities=tuple(f"sip:mig-{number}-{n}@{domain}" for n in range(count)),
            ),
            counterpart=counterpart,
            valid_until=VALID_UNTIL,
            version=number,
        )
        self.bindings[binding.binding] = binding
        return binding


class DirectPartner:
    """CSC-17 without HTTP: the partner's own rules, called by the primary's name."""

    def __init__(self, side: PartnerSide, catalogue: Catalogue, primary: str, trial: Trial | None = None) -> None:
        self._side = side
        self._primary = catalogue.partners[primary]
        self._trial = trial
        self.fail: dict[str, Exception] = {}
        self.replace: Callable[[Any], Any] = lambda access: access

    def _called(self, name: str) -> None:
        if name in self.fail:
            raise self.fail[name]

    async def access(self, request):
        self._called("access")
        return self.replace(await self._side.access(self._primary, request, NOW))

    async def try_access(self, request):
        self._called("access")
        assert self._trial is not None
        return await self._trial.access(self._primary, request, NOW)

    async def confirm(self, access) -> None:
        self._called("confirm")
        await self._side.confirm(self._primary, access)

    async def release(self, access) -> None:
        self._called("release")
        await self._side.release(self._primary, access)

    async def withdraw(self, access) -> None:
        self._called("withdraw")
        await self._side.withdraw(self._primary, access)

    async def restore(self, access) -> None:
        self._called("restore")
        await self._side.restore(self._primary, access)


MakeCatalogue = Callable[..., Catalogue]


@pytest.fixture
def catalogue_of(make_config: MakeConfig) -> MakeCatalogue:
    def make(name: str, /, *partners: dict[str, Any], **changes: Any) -> Catalogue:
        return make_catalogue(make_config(name, *partners, **changes))

    return make


@pytest.fixture
def memory_mms() -> type[MemoryMms]:
    return MemoryMms


@pytest.fixture
def direct_partner() -> type[DirectPartner]:
    return DirectPartner


@pytest.fixture
def partner() -> Callable[..., dict[str, Any]]:
    return partner_table


@pytest.fixture
def configuration_of() -> Callable[[str], dict[str, Any]]:
    return ue_configuration
