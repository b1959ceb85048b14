"""CSC-X by hand, as an administrator: release, disable or enable every binding of one role at an MMS.

A program of one errand: its task as JSON on standard input, its result as JSON on standard output.  It runs in the
namespace of the configuration management server, with the administrator's certificate.
"""

import http.client
import json
import ssl
import sys
from typing import Any, Final
from urllib.parse import quote, urlsplit

TIMEOUT_S: Final = 5.0


def change(task: dict[str, Any]) -> dict[str, Any]:
    """Carry the task out and return the bindings as they are now."""
    context = ssl.create_default_context(cafile=task["ca"])
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(task["certificate"], task["private_key"])
    host = urlsplit(task["url"]).hostname or ""
    link = http.client.HTTPSConnection(host, context=context, timeout=TIMEOUT_S)
    listed = _call(link, "GET", f"/csc-x/v1/bindings?role={quote(task['role'])}", None)
    bindings = listed if isinstance(listed, list) else listed.get("bindings", [])
    changed = [
        _call(link, "POST", f"/csc-x/v1/bindings/{quote(one['binding'])}/{task['action']}", {"reason": task["reason"]})
        for one in bindings
    ]
    return {"ok": True, "changed": len(changed)}


def _call(link: http.client.HTTPSConnection, method: str, path: str, body: dict[str, Any] | None) -> Any:
    text = json.dumps(body) if body is not None else None
    link.request(method, path, text, {"Content-Type": "application/json"} if text else {})
    response = link.getresponse()
    octets = response.read()
    if response.status >= 300:
        raise RuntimeError(f"{method} {path}: {response.status} {octets[:200].decode(errors='replace')}")
    return json.loads(octets) if octets else None


def main() -> None:
    """Do the errand."""
    try:
        result = change(json.load(sys.stdin))
    except (OSError, http.client.HTTPException, RuntimeError, ValueError, KeyError) as exc:
        result = {"ok": False, "reason": f"{type(exc).__name__}: {exc}"}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
