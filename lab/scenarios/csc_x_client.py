"""CSC-X by hand, as an administrator: bindings imported, listed, changed, withdrawn from a user, or
awaited at an MMS; and one look into its feed.

A program of one errand: its task as JSON on standard input, its result as JSON on standard output.  It runs in the
namespace of the configuration management server, with the administrator's certificate.
"""

import http.client
import json
import ssl
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

TIMEOUT_S: Final = 5.0
LOOK_EVERY_S: Final = 0.2
BINDINGS: Final = "/csc-x/v1/bindings"

Binding = dict[str, Any]


class Administrator:
    """One connection to an MMS."""

    def __init__(self, task: Mapping[str, Any]) -> None:
        context = ssl.create_default_context(cafile=task["ca"])
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(task["certificate"], task["private_key"])
        host = urlsplit(task["url"]).hostname or ""
        self._link = http.client.HTTPSConnection(host, context=context, timeout=task.get("timeout_s", TIMEOUT_S))

    def bindings(self, role: str, other_system: str = "") -> list[Binding]:
        """Return the bindings of a role, with one other system where given."""
        query = {"role": role} | ({"other_mc_system": other_system} if other_system else {})
        listed = self._call("GET", f"{BINDINGS}?{urlencode(query)}")
        return listed if isinstance(listed, list) else list(listed.get("bindings", []))

    def change(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """Release, disable or enable the bindings that the task names."""
        found = self.bindings(task["role"], task["other_system"])
        if "states" in task:
            found = [one for one in found if one["state"] in task["states"]]
        for one in found:
            path = f"{BINDINGS}/{quote(one['binding'])}/{task['action']}"
            self._call("POST", path, json.dumps({"reason": task["reason"]}))
        is_fine = bool(found) or task.get("none_is_fine", False)
        return {"ok": is_fine, "changed": len(found), **({} if is_fine else {"reason": "there is no such binding"})}

    def listed(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """Return the bindings of a role as they are."""
        return {"ok": True, "bindings": self.bindings(task["role"])}

    def look_up(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """Return which binding the feed says lends each identity, as a proxy would ask; None where there is none."""
        found: dict[str, str | None] = {}
        for identity in task["identities"]:
            self._link.request("GET", f"/feed/v1/identities/{quote(identity, safe='')}")
            response = self._link.getresponse()
            octets = response.read()
            if response.status not in (200, 404):
                raise RuntimeError(f"look-up of an identity: {response.status}")
            entry = json.loads(octets)
            found[identity] = entry["binding"] if response.status == 200 and not entry["deleted"] else None
        return {"ok": True, "found": found}

    def import_entries(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """Import bindings, one a line."""
        lines = "".join(json.dumps(entry) + "\n" for entry in task["entries"])
        report = self._call("POST", "/csc-x/v1/import", lines, "application/x-ndjson")
        refused = report.get("refused", [])
        return {"ok": not refused, "report": report, "reason": str(refused)[:300]}

    def withdraw(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """Withdraw migration from a user toward one other system."""
        names = ("role", "other_mc_system", "mc_service_id", "reason")
        status = self._call("POST", "/csc-x/v1/withdrawals", json.dumps({name: task[name] for name in names}))
        return {"ok": True, "withdrawal": status}

    def restore(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """Lift the withdrawals that stand for a user and one other system."""
        query = {name: task[name] for name in ("role", "other_mc_system", "mc_service_id")}
        standing = self._call("GET", f"/csc-x/v1/withdrawals?{urlencode(query)}")
        for one in standing:
            path = f"/csc-x/v1/withdrawals/{quote(one['withdrawal'])}/restore"
            self._call("POST", path, json.dumps({"reason": task["reason"]}))
        return {"ok": bool(standing), "restored": len(standing), "reason": "no such withdrawal stands"}

    def wait(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """List the bindings until there are as many as wanted."""
        ends = time.monotonic() + task["within_s"]
        while True:
            listed = self.bindings(task["role"])
            states = [one["state"] for one in listed]
            if len([one for one in listed if is_in(one, task["state"])]) == task["count"]:
                return {"ok": True, "states": states}
            if time.monotonic() > ends:
                return {"ok": False, "reason": f"{task['url']} lists {states} after {task['within_s']:g} s"}
            time.sleep(LOOK_EVERY_S)

    def _call(self, method: str, path: str, text: str | None = None, media_type: str = "application/json") -> Any:
        self._link.request(method, path, text, {"Content-Type": media_type} if text is not None else {})
        response = self._link.getresponse()
        octets = response.read()
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {octets[:200].decode(errors='replace')}")
        return json.loads(octets) if octets else None


def is_in(binding: Binding, state: str) -> bool:
    """Tell whether a binding is in a state: any, one by name, ``served`` or ``ended`` (and its RTR is over)."""
    if state == "served":
        return binding["enabled"] and binding["state"] in ("allocated", "registered")
    if state != "ended":
        return state in ("", binding["state"])
    is_over = binding["state"] == "quarantined" or not binding["enabled"]
    return is_over and binding["deregistration"] != "pending"


def carry_out(task: Mapping[str, Any]) -> dict[str, Any]:
    """Carry the task out and return what came of it."""
    administrator = Administrator(task)
    errands: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
        "import": administrator.import_entries,
        "withdraw": administrator.withdraw,
        "restore": administrator.restore,
        "await": administrator.wait,
        "list": administrator.listed,
        "look-up": administrator.look_up,
    }
    return errands.get(task["action"], administrator.change)(task)


def main() -> None:
    """Do the errand."""
    try:
        result = carry_out(json.load(sys.stdin))
    except (OSError, http.client.HTTPException, RuntimeError, ValueError, KeyError) as exc:
        result = {"ok": False, "reason": f"{type(exc).__name__}: {exc}"}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
