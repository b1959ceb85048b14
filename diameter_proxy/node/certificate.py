"""Our own certificate and its private key, loaded and compared, with a fault said in a sentence.

Apart from ``tls``, which loads cryptography: the client of an HTTPS server needs this and not that.
"""

import ssl
from pathlib import Path


class CertificateUnusable(Exception):
    """The certificate or its private key is of no use; the text names the files."""


class TlsMisconfigured(Exception):
    """A file that TLS needs is absent, unreadable or no certificate (``tls`` raises it)."""


def load_own_certificate(context: ssl.SSLContext, certificate: Path, private_key: Path | None) -> None:
    """Have a context show our certificate; the key is loaded and compared with it.

    Raises:
        CertificateUnusable: one of the files cannot be read, is no PEM, or they do not belong together.
    """
    names = f"{certificate.name} and {private_key.name if private_key else 'its key'}"
    try:
        # without a password OpenSSL would ask for one at the terminal, and wait
        context.load_cert_chain(certificate, private_key, password=_no_password)
    except ssl.SSLError as exc:
        if exc.reason == "KEY_VALUES_MISMATCH":
            raise CertificateUnusable(f"{names}: the private key is not that of the certificate") from exc
        raise CertificateUnusable(f"{names}: {exc.reason or 'not a certificate and a private key in PEM'}") from exc
    except OSError as exc:
        raise CertificateUnusable(f"{names}: {exc.strerror or exc}") from exc


def _no_password() -> str:
    raise CertificateUnusable("the private key has a password: keep it in a file of mode 0600 without one")
