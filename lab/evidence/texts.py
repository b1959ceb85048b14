"""Small readers of texts that messages carry: tokens, forms, digest parameters, SIP addresses."""

import base64
import json
import re
from typing import Any, Final
from urllib.parse import parse_qs

from lab.evidence.messages import HttpMessage, SipMessage

TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - a grant type
JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def claims_of(token: str) -> dict[str, Any]:
    """Return the payload of a JWT as it stands in the capture; empty when it is none.  No signature is judged."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        value = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def kid_of(token: str) -> str:
    """Return which key a JWT says that it is signed with; empty when it is none."""
    try:
        header = json.loads(base64.urlsafe_b64decode(token.partition(".")[0] + "=="))
    except ValueError:
        return ""
    return str(header.get("kid", "")) if isinstance(header, dict) and token.count(".") == 2 else ""


def form_of(message: HttpMessage) -> dict[str, str]:
    """Return the fields of a form body."""
    return {name: values[0] for name, values in parse_qs(message.body).items()}


def bearer_of(message: HttpMessage) -> str:
    """Return the bearer token of a request, or an empty text."""
    scheme, _, token = message.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


_PARAMETER: Final = re.compile(r'([A-Za-z0-9\-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


def digest_parameters(header: str) -> dict[str, str]:
    """Return the parameters of an Authorization or WWW-Authenticate header, names in lower case."""
    return {m[1].lower(): m[2] if m[2] is not None else m[3] for m in _PARAMETER.finditer(header.partition(" ")[2])}


def uri_of(header: str) -> str:
    """Return the URI of a From, To or P-Asserted-Identity header, without parameters."""
    inner = header[header.find("<") + 1 : header.find(">")] if "<" in header else header
    return inner.split(";")[0].strip()


def is_registering(message: SipMessage) -> bool:
    """Tell a REGISTER that is no de-registration."""
    expires = message.header("expires")
    contact = message.header("contact")
    return message.method == "REGISTER" and expires != "0" and "expires=0" not in contact.replace(" ", "")


def is_third_party(message: SipMessage) -> bool:
    """Tell a REGISTER that somebody sends for another: From is not To (RFC 3261 §10.2, TS 24.229 §5.4.1.7)."""
    sender = uri_of(message.header("from"))
    return bool(sender) and sender != uri_of(message.header("to"))
