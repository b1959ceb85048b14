"""A security token of a user, used twice at a partner's identity management server (RFC 7523 §3, claim ``jti``).

A program of one errand: its task as JSON on standard input, its result as JSON on standard output.  It runs in the
UE's namespace and says what a UE says; whoever has seen a security token would do the second half.
"""

import http.client
import json
import ssl
import sys
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

TIMEOUT_S: Final = 5.0
TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - a grant type
JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a token type
JWT: Final = "urn:ietf:params:oauth:token-type:jwt"


def replay(task: Mapping[str, Any]) -> dict[str, Any]:
    """Get a security token for the partner, give it to the partner twice, return the statuses."""
    primary, partner = task["primary"], task["partner"]
    client = {"client_id": task["client_id"], "scope": task["scope"]}
    _, own = _token(primary, {"grant_type": "password", **task["credentials"], **client})
    exchange = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": own["access_token"],
        "subject_token_type": ACCESS_TOKEN,
        "requested_token_type": JWT,
        "audience": partner["issuer"],
    }
    _, security = _token(primary, {**exchange, **client})
    grant = {"grant_type": JWT_BEARER, "assertion": security["access_token"], **client}
    (first, _), (second, refusal) = (_token(partner, grant) for _ in range(2))
    return {"ok": first == 200, "first": first, "second": second, "reason": refusal.get("error")}


def _token(server: Mapping[str, Any], form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    context = ssl.create_default_context(cafile=server["ca"])
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    link = http.client.HTTPSConnection(urlsplit(server["issuer"]).hostname or "", context=context, timeout=TIMEOUT_S)
    try:
        link.request("POST", "/token", urlencode(form), {"Content-Type": "application/x-www-form-urlencoded"})
        response = link.getresponse()
        return response.status, json.loads(response.read())
    finally:
        link.close()


def main() -> None:
    """Do the errand."""
    try:
        result = replay(json.load(sys.stdin))
    except (OSError, http.client.HTTPException, ValueError, KeyError) as exc:
        result = {"ok": False, "reason": f"{type(exc).__name__}: {exc}"}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
