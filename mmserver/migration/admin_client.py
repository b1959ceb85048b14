"""What an administrator's command asks of a running MMS: CSC-X over mutual TLS, errors with what mends them.

Never the database: what the server would refuse is refused to its administrator too, and the audit trail has his name.
"""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import httpx2
from pydantic import Field

from mmserver.http.settings import ConfigFile, Seconds, Table, load_toml
from mmserver.http.tls import Credentials, TlsError, client_context

PAGE: Final = 1000
CHUNK_LINES: Final = 1000
CHUNK_OCTETS: Final = 200 * 1024
JSON_LINES: Final = {"content-type": "application/x-ndjson"}

# fmt: off
MENDS: Final = {
    "client-not-allowed":       "add its name to http.clients.csc_x of mms.toml, or to .administrators; restart it",
    "unknown-binding":          "`mmserver migration list` shows what there is; what has ended is in `audit`",
    "unknown-withdrawal":       "`mmserver migration withdrawals` shows those that stand",
    "unknown-mc-system":        "[[partners]] of mms.toml has the agreements; --partner takes the name of one",
    "migration-withdrawn":      "`mmserver migration withdrawals` says by whom and why; `restore` lifts it",
    "still-withdrawn":          "restore the withdrawal that is named, not the binding",
    "binding-not-live":         "it has ended; ask for a new one with `allocate`",
    "no-free-partner-set":      "make the pool larger (allocation.partner), or wait for the end of a quarantine",
    "no-free-primary-set":      "configure more sets for this user and partner (allocation.primary)",
    "no-primary-set-for-partner": "configure a set for this user and partner (allocation.primary)",
    "not-pre-provisioned":      "`mmserver migration import` enters bindings in this mode",
    "sip-database-unreachable": "is the HSS up, and does it take this MMS as a peer?  [sip_database] of mms.toml",
    "sets-not-known-to-sip-database": "provision the user's migration sets in the HSS",
    "reload-refused":           "the old configuration stays in force; mend the file and reload again",
    "store-unavailable":        "disk full, or the database gone?  The server's log says why; nothing was changed",
}
# fmt: on


class AdminError(Exception):
    """A command cannot be carried out; the text says why and what mends it."""


class AdminConfig(Table):
    """``mms-admin.toml``: which server, and the administrator's certificate."""

    url: Annotated[str, Field(pattern=r"^https://\S+$", max_length=255, description="Where CSC-X of the MMS is.")]
    ca: Annotated[ConfigFile, Field(description="CA of the server's certificate, PEM.")]
    certificate: Annotated[ConfigFile, Field(description="The administrator's certificate, PEM.")]
    private_key: Annotated[ConfigFile, Field(description="Its private key, PEM.")]
    timeout_s: Annotated[Seconds, Field(description="For one request; an RTR with all its tries fits in.")] = 30.0


def load_admin_config(path: Path) -> AdminConfig:
    """Return the administrator's file at ``path``.

    Raises:
        ConfigError: it cannot be used.
    """
    return load_toml(path, AdminConfig)


class AdminClient:
    """One running MMS; a context manager."""

    def __init__(self, config: AdminConfig) -> None:
        """Prepare the connection.

        Raises:
            AdminError: certificate, key or CA cannot be used.
        """
        try:
            context = client_context(config.ca, Credentials(config.certificate, config.private_key))
        except TlsError as exc:
            raise AdminError(f"{exc}: certificate and private_key belong together, ca is the server's") from exc
        self._url = config.url
        self._http = httpx2.Client(base_url=config.url, verify=context, timeout=config.timeout_s)

    def __enter__(self) -> "AdminClient":
        """Return the client itself."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Close the connection."""
        self._http.close()

    def ask(self, method: str, path: str, body: Any = None, **query: object) -> Any:
        """Return the answer's JSON; members of the query that are None are left out.

        Raises:
            AdminError: no answer, or a refusal.
        """
        return _json_of(self._send(method, path, json=body, params=_given(query)))

    def pages(self, path: str, key: str, **query: object) -> Iterator[dict[str, Any]]:
        """Yield the rows of a list, page by page; ``key`` is the member to continue after.

        Raises:
            AdminError: as ``ask``.
        """
        after: object = None
        while True:
            rows = self.ask("GET", path, None, after=after, **query)
            yield from rows
            if len(rows) < PAGE:
                return
            after = rows[-1][key]

    def export(self, **query: object) -> Iterator[str]:
        """Yield the lines of an export.

        Raises:
            AdminError: as ``ask``, or the answer is cut off.
        """
        try:
            with self._http.stream("GET", "/csc-x/v1/export", params=_given(query)) as response:
                if not response.is_success:
                    response.read()
                    raise _refused(response)
                yield from response.iter_lines()
        except httpx2.HTTPError as exc:
            raise self._unreachable(exc) from exc

    def import_lines(self, lines: list[str], *, dry_run: bool) -> Iterator[dict[str, Any]]:
        """Send the lines in parts and yield the report of each.

        Raises:
            AdminError: as ``ask``; parts before are in.
        """
        for first, part in _parts(lines):
            query = _given({"dry_run": dry_run, "first_line": first})
            content = "\n".join(part).encode("utf-8", "surrogateescape")
            try:
                answer = self._send("POST", "/csc-x/v1/import", content=content, headers=JSON_LINES, params=query)
            except AdminError as exc:
                last = first + len(part) - 1
                hint = f"{'the lines before are done; ' if first > 1 else ''}the same file again changes nothing twice"
                raise AdminError(f"lines {first} to {last}: {exc}\n  {hint}") from exc
            yield _json_of(answer)

    def _send(self, method: str, path: str, **arguments: Any) -> httpx2.Response:
        try:
            response = self._http.request(method, path, **arguments)
        except httpx2.HTTPError as exc:
            raise self._unreachable(exc) from exc
        if not response.is_success:
            raise _refused(response)
        return response

    def _unreachable(self, exc: httpx2.HTTPError) -> AdminError:
        cause: BaseException | None = exc
        while cause is not None and not isinstance(cause, ssl.SSLError | OSError):
            cause = cause.__cause__ or cause.__context__
        text = str(cause or exc) or type(exc).__name__
        if isinstance(cause, ssl.SSLCertVerificationError):
            return AdminError(f"{self._url}: {cause.verify_message}: is ca the CA of the server, and url its name?")
        if isinstance(cause, ssl.SSLError) or isinstance(exc, httpx2.RemoteProtocolError | httpx2.ReadError):
            return AdminError(f"{self._url}: {text}: is the certificate from the CA in http.client_ca of mms.toml?")
        if isinstance(exc, httpx2.TimeoutException):
            return AdminError(f"{self._url}: no answer in time: is the server loaded, or timeout_s too small?")
        return AdminError(f"{self._url}: {text}: does the server run there?")


def _refused(response: httpx2.Response) -> AdminError:
    try:
        problem = response.json()
        code, title = str(problem["type"]).rpartition(":")[2], str(problem["title"])
    except (ValueError, KeyError, TypeError):
        return AdminError(f"status {response.status_code}, and no problem details: is that an MMS?")
    detail = f": {problem['detail']}" if problem.get("detail") else ""
    step = f" (step {problem['step']})" if problem.get("step") else ""
    mend = f"\n  {MENDS[code]}" if code in MENDS else ""
    return AdminError(f"{code}: {title}{detail}{step}{mend}")


def _json_of(response: httpx2.Response) -> Any:
    try:
        return response.json()
    except ValueError as exc:
        raise AdminError(f"status {response.status_code}, and no JSON: is that an MMS?") from exc


def _given(query: dict[str, object]) -> dict[str, str]:
    return {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in query.items()
            if value is not None}  # fmt: skip


def _parts(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    first, part, octets = 1, list[str](), 0
    for number, line in enumerate(lines, 1):
        length = len(line.encode("utf-8", "surrogateescape")) + 1
        if part and (len(part) == CHUNK_LINES or octets + length > CHUNK_OCTETS):
            yield first, part
            first, part, octets = number, [], 0
        part.append(line)
        octets += length
    if part:
        yield first, part
