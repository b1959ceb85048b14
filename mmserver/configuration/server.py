"""Joins the parts of the configuration management server and runs them: HTTPS, clients, the follower of withdrawals."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from mmserver.configuration.api import create_api
from mmserver.configuration.config import CmsConfig
from mmserver.configuration.mms_client import MmsClient
from mmserver.configuration.partner_client import PartnerClient
from mmserver.configuration.peer import Peer, PeerFailure
from mmserver.configuration.procedure import PartnerSide, PrimarySide
from mmserver.configuration.selection import check_area
from mmserver.configuration.withdrawals import Withdrawals
from mmserver.http.logs import configure_logs
from mmserver.http.server import HttpServer, announce_ready, stop_signals
from mmserver.http.tls import ClientTrust, client_context, server_context
from mmserver.http.tokens import IssuerKeys, KeysUnavailable, TokenRules, TokenVerifier


@dataclass(frozen=True)
class _Peers:
    mms: Peer
    idms: Peer
    partners: dict[str, Peer]

    async def close(self) -> None:
        for peer in (self.mms, self.idms, *self.partners.values()):
            await peer.close()


async def run(config: CmsConfig) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ListenFailed: the address cannot be bound.
        TlsError: a certificate, key or CA file cannot be used.
    """
    configure_logs(program="cms", system=config.system.name)
    trust = client_trust(config)
    context = server_context(config.tls.credentials(), trust, required=False)
    async with _peers(config) as peers, stop_signals() as stop:
        mms = MmsClient(peers.mms)
        partners = {name: PartnerClient(name, peer) for name, peer in peers.partners.items()}
        server = HttpServer(
            _application(config, peers, mms, partners),
            address=config.http.address,
            port=config.http.port,
            context=context,
            trust=trust,
        )
        async with server, _background(Withdrawals(mms, partners)):
            announce_ready([server.listen])
            await stop.wait()


def check(config: CmsConfig) -> None:
    """Read every file that the configuration names.

    Raises:
        ConfigError, TlsError: one of them cannot be used.
    """
    for partner in config.partners:
        check_area(partner.service_area)
        client_context(partner.ca)
    client_context(config.mms.ca)
    client_context(config.idms.ca)
    server_context(config.tls.credentials(), client_trust(config), required=False)


def client_trust(config: CmsConfig) -> ClientTrust:
    """Return whose certificates count on CSC-17: each partner's name by that partner's own CA.

    Raises:
        TlsError: a CA file cannot be used.
    """
    ca_files: dict[str, Path] = {partner.client_name: partner.ca for partner in config.partners}
    return ClientTrust(ca_files)


def _application(config: CmsConfig, peers: _Peers, mms: MmsClient, partners: dict[str, PartnerClient]) -> ASGIApp:
    async def fetch(url: str) -> Any:
        try:
            return await peers.idms.get_json(url)
        except PeerFailure as exc:
            raise KeysUnavailable(str(exc)) from exc

    async def readiness() -> str | None:
        try:
            await peers.mms.get_json(f"{config.mms.url}/health")
        except PeerFailure as exc:
            return f"the migration management server does not answer: {exc}"
        return None

    rules = TokenRules(config.idms.issuer, config.idms.audience, frozenset(config.idms.scopes), config.idms.leeway_s)
    verifier = TokenVerifier(rules, IssuerKeys(config.idms.issuer, fetch))
    return create_api(config, verifier, PrimarySide(config, mms, partners), PartnerSide(config, mms), readiness)


@contextlib.asynccontextmanager
async def _peers(config: CmsConfig) -> AsyncIterator[_Peers]:
    us = config.tls.credentials()
    peers = _Peers(
        mms=Peer(config.mms.url, client_context(config.mms.ca, us), config.mms.timeout_s),
        idms=Peer(config.idms.issuer, client_context(config.idms.ca), config.idms.timeout_s),
        partners={
            partner.name: Peer(partner.cms, client_context(partner.ca, us), partner.timeout_s)
            for partner in config.partners
        },
    )
    try:
        yield peers
    finally:
        await peers.close()


@contextlib.asynccontextmanager
async def _background(withdrawals: Withdrawals) -> AsyncIterator[None]:
    task = asyncio.create_task(withdrawals.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
