"""Server-Name of the primary core for migrated users: the one that the HSS has stored (TS 29.228 §6.1.2, §6.3).

An HSS writes the Server-Name of a MAR into the user's record; with the partner's it would knock the user off his home
S-CSCF.  So the proxy learns, from SAAs and UAAs that it relays, which S-CSCF serves whom.  Bounded; oldest out first.
"""

from collections.abc import Iterable
from typing import Final

from diameter_proxy.diameter import dictionary as d


class ServerNames:
    """Server-Name AVPs, and the S-CSCFs' Origin-Hosts, by IMPI; the configured name where nothing was learnt."""

    def __init__(self, configured: str, entries_max: int = 65536) -> None:
        self._configured = b""
        self.configure(configured)
        self._entries_max: Final = entries_max
        self._by_impi: dict[bytes, tuple[bytes, str]] = {}

    def configure(self, configured: str) -> None:
        """Take another name for users of whom nothing was learnt."""
        self._configured = d.SERVER_NAME.encode(configured) if configured else b""

    def learn(self, impi: bytes, server_name: bytes, origin_host: str = "") -> None:
        """Note the whole Server-Name AVP of the S-CSCF that serves this IMPI, and its Origin-Host where it is known."""
        known = self._by_impi.pop(impi, (b"", ""))
        if not origin_host and known[0] == server_name:
            origin_host = known[1]
        while len(self._by_impi) >= self._entries_max:
            del self._by_impi[next(iter(self._by_impi))]
        self._by_impi[impi] = (server_name, origin_host)

    def forget(self, impi: bytes) -> None:
        """Note that no S-CSCF serves this IMPI any more."""
        self._by_impi.pop(impi, None)

    def of(self, impis: Iterable[bytes]) -> bytes:
        """Return the AVP for the first of these IMPIs of which one was learnt, else the configured one, else empty."""
        for impi in impis:
            learnt = self._by_impi.get(impi)
            if learnt is not None:
                return learnt[0]
        return self._configured

    def origin_host_of(self, impi: bytes) -> str:
        """Return the Origin-Host, in lower case, of the S-CSCF that serves this IMPI, else an empty text."""
        return self._by_impi.get(impi, (b"", ""))[1]
