"""The TLS side of the CMS, kept in step with the catalogue and the files: our certificate, the CAs, who may connect.

A reload with other files exchanges every context as a whole; requests under way end over what they began with.
"""

from mmserver.configuration.catalogue import Catalogue
from mmserver.configuration.config import CmsConfig
from mmserver.configuration.partners import PartnerClients
from mmserver.configuration.peer import Peer
from mmserver.http.tls import (
    ClientTrust,
    ExchangeableContext,
    client_context,
    fingerprint,
    server_context,
    trust_also,
)


class TlsFiles:
    """Everything here that a certificate, a key or a CA is in."""

    def __init__(self, config: CmsConfig, catalogue: Catalogue) -> None:
        """Read the files.

        Raises:
            TlsError: one of them cannot be used.
        """
        us = config.tls.credentials()
        self._started = config
        self._read_for = config
        self._seen = _fingerprint(config)
        self.mms = Peer(config.mms.url, client_context(config.mms.ca, us), config.mms.timeout_s)
        self.idms = Peer(config.idms.issuer, client_context(config.idms.ca), config.idms.timeout_s)
        self.partners = PartnerClients(us)
        self.trust = client_trust(config, catalogue)
        self.server = ExchangeableContext(server_context(us, self.trust, required=False))

    def take_up(self, config: CmsConfig, catalogue: Catalogue) -> None:
        """Serve this catalogue's partners from now on; files are read again where ``config`` is a new one.

        Raises:
            TlsError: a file cannot be used; nothing has changed.
        """
        trusted = client_trust(self._with_our_clients(config), catalogue)
        seen = self._seen if config is self._read_for else _fingerprint(config)
        if seen == self._seen:
            self.partners.update(catalogue)
            self.trust.become(trusted)
            trust_also(self.server.current, trusted)
        else:
            us = config.tls.credentials()
            server = server_context(us, trusted, required=False)
            mms, idms = client_context(config.mms.ca, us), client_context(config.idms.ca)
            self.partners.update(catalogue, us)  # the last that may refuse
            self.trust.become(trusted)
            self.server.exchange(server)
            self.mms.exchange(mms)
            self.idms.exchange(idms)
        self._read_for, self._seen = config, seen

    async def close(self) -> None:
        """Close all connections that we opened."""
        for part in (self.partners, self.idms, self.mms):
            await part.close()

    def _with_our_clients(self, config: CmsConfig) -> CmsConfig:
        """Return ``config`` with the clients of the start: the routes are theirs until a restart."""
        admin = self._started.admin.model_copy(update={"ca": config.admin.ca})
        return config.model_copy(update={"admin": admin, "metrics": self._started.metrics})


def client_trust(config: CmsConfig, catalogue: Catalogue) -> ClientTrust:
    """Return whose certificates count: each partner's name by that partner's own CA, our operators' by ours.

    Raises:
        TlsError: a CA cannot be used, or two would vouch for one name.
    """
    ours = dict.fromkeys(config.admin.clients, config.admin.ca or config.mms.ca)
    ours |= {name: config.mms.ca for name in config.metrics.clients if name not in ours}
    return ClientTrust(ours, {partner.client_name: partner.ca for partner in catalogue.partners.values()})


def _fingerprint(config: CmsConfig) -> str:
    return fingerprint(config.tls.certificate, config.tls.private_key, config.mms.ca, config.idms.ca)
