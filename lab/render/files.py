"""Where rendered files and sockets of a lab lie, for those who write them and those who name them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.run_directory import RunDirectory

CERTIFICATE: Final = "certificate.pem"
PRIVATE_KEY: Final = "private_key.pem"
SIGNING_KEY: Final = "idms-signing.pem"
SOCKETS: Final = Path("/run/mclab")
"""Unix sockets lie here, one folder a lab: the path of one may have 107 octets only (unix(7))."""
PID_NAME: Final = "pid"
"""Beside them: the process id of the lab's supervisor, from before there is anything of the lab."""


@dataclass(frozen=True, slots=True)
class Files:
    """Paths of one lab."""

    run: RunDirectory
    lab_id: str

    @property
    def sockets(self) -> Path:
        """The folder of this lab's Unix sockets."""
        return SOCKETS / self.lab_id

    def socket(self, name: str) -> Path:
        """Return the Unix socket of a host, or of the supervisor."""
        return self.sockets / name

    def etc(self, host: str) -> Path:
        """Return the folder of a host's configuration."""
        return self.run.etc(host)

    def state(self, host: str) -> Path:
        """Return the folder of what a host's program keeps."""
        return self.run.state(host)

    def authority(self, system: str) -> Path:
        """Return the CA certificate of a system."""
        return self.run.tls / f"{system}-ca.pem"

    def tls(self, host: str) -> dict[str, Path]:
        """Return ``[tls]`` of a host."""
        return {"certificate": self.etc(host) / CERTIFICATE, "private_key": self.etc(host) / PRIVATE_KEY}
