"""A trial of AKA in a process that may die of it: ``python -m ue_agent.hook_trial``.

It registers with the very Stack that the UE uses against a socket of its own on the loopback: a challenge that a
pretended ISIM answers with AUTS, as after a lost sequence number, and a fresh one that it answers without (RFC 3310
§3.4).  Only if both answers arrive as they were given is this pjsua2 used (``prove_aka``); a trial that went well is
remembered.
No secret, no other network than the loopback.
"""

import asyncio
import base64
import re
import signal
import socket
import sys
from pathlib import Path
from typing import Final

from ue_agent.challenge import Answer, DigestQuestion
from ue_agent.errors import HookError, StackError
from ue_agent.trial_memory import digest_of_what_is_tried, own_folder, recall, remember

LOOPBACK: Final = "127.0.0.1"
DEADLINE_S: Final = 10.0
TRIAL_TIMEOUT_S: Final = 60.0
STALE_NONCE: Final = base64.b64encode(bytes(range(32))).decode()
FRESH_NONCE: Final = base64.b64encode(bytes(range(32, 64))).decode()
RESPONSE: Final = "0123456789abcdef" * 2
AUTS: Final = base64.b64encode(bytes(range(14))).decode()
_COPIED = re.compile(r"^(?:Via|From|Call-ID|CSeq):.*$", re.MULTILINE)
_TO = re.compile(r"^To:.*$", re.MULTILINE)
_AUTHORIZATION = re.compile(r"^Authorization:(.*)$", re.MULTILINE)


async def prove_aka(folder: Path | None = None) -> str:
    """Return how this pjsua2 does AKA, ``native`` or ``hooked``, by a trial if none is remembered in ``folder``.

    Raises:
        HookError: it cannot; one line says why.
    """
    folder = own_folder() if folder is None else folder
    digest = digest_of_what_is_tried()
    known = recall(folder, digest) if digest else None
    if known is not None:
        return known
    shown = await _run_trial()
    if digest:
        remember(folder, digest, shown)
    return shown


async def _run_trial() -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "ue_agent.hook_trial",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), TRIAL_TIMEOUT_S)
    except TimeoutError as exc:
        raise HookError("AKA cannot be had from this pjsua2: the trial did not end") from exc
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return verdict(process.returncode or 0, output.decode(errors="replace"))


def verdict(exit_code: int, output: str) -> str:
    """Return what a trial that ended like this has shown.

    Raises:
        HookError: it failed.
    """
    said = (output.strip().splitlines() or [""])[-1][:300]
    if exit_code == 0:
        return said
    if exit_code < 0:
        said = f"the trial died of {signal.Signals(-exit_code).name}"
    raise HookError(f"AKA cannot be had from this pjsua2: {said or f'the trial ended with {exit_code}'}")


def answer_to(request: str, status_line: str, *headers: str) -> bytes:
    """Return a SIP response to a request (RFC 3261 §8.2.6)."""
    to = _TO.search(request)
    lines = [
        f"SIP/2.0 {status_line}",
        *(line.rstrip("\r") for line in _COPIED.findall(request)),
        f"{to[0].rstrip() if to else 'To: <sip:trial@localhost>'};tag=trial",
        *headers,
        "Content-Length: 0",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def next_challenge(request: str) -> str | None:
    """Return the nonce that this REGISTER of the trial is challenged with; None when it has shown all there is to show.

    Raises:
        StackError: an answer did not arrive as the pretended ISIM gave it.
    """
    sent = _AUTHORIZATION.findall(request)
    if len(sent) != 1:
        raise StackError(f"a REGISTER of the trial has {len(sent)} Authorization headers")
    if 'response=""' in sent[0]:
        return STALE_NONCE
    resynchronises = f'nonce="{STALE_NONCE}"' in sent[0]
    if f'response="{RESPONSE}"' not in sent[0] or (f'auts="{AUTS}"' in sent[0]) is not resynchronises:
        raise StackError("the trial's answer did not arrive as it was given")
    return FRESH_NONCE if resynchronises else None


def _pretend(question: DigestQuestion) -> Answer:
    return Answer(response=RESPONSE, auts=AUTS if question.nonce == STALE_NONCE else "")


def try_here() -> str:
    """Carry out the trial in this process.

    Raises:
        StackError: pjsua2 cannot do it.
    """
    from ue_agent.aka_hook import install

    support = install()  # first: it says clearly what is wrong with a pjsua2 that cannot even be imported
    from ue_agent.pjsua_stack import Stack, StackEvent
    from ue_agent.stack_settings import StackSettings

    events: list[StackEvent] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as registrar:
        registrar.bind((LOOPBACK, 0))
        registrar.settimeout(DEADLINE_S)
        p_cscf = f"sip:{LOOPBACK}:{registrar.getsockname()[1]}"
        stack = Stack(
            StackSettings("trial@localhost", "sip:trial@localhost", "localhost", p_cscf, LOOPBACK, 0, "udp", 60,
                          "urn:uuid:00000000-0000-4000-8000-000000000000", ""),
            _pretend, events.append,
        )  # fmt: skip
        try:
            stack.start()
            stack.register()
            _play_registrar(registrar)
        finally:
            stack.stop()
    return support.value


def _play_registrar(registrar: socket.socket) -> None:
    try:
        while True:
            octets, source = registrar.recvfrom(65536)
            request = octets.decode(errors="replace")
            nonce = next_challenge(request)
            if nonce is None:
                registrar.sendto(answer_to(request, "200 OK", "Expires: 60"), source)
                return
            challenge = f'Digest realm="localhost", nonce="{nonce}", algorithm=AKAv1-MD5, qop="auth"'
            registrar.sendto(answer_to(request, "401 Unauthorized", f"WWW-Authenticate: {challenge}"), source)
    except TimeoutError as exc:
        raise StackError("the trial's challenge was not answered: onCredAuth does not run") from exc


def main() -> int:
    """Print how AKA is done and return 0, or why it is not and return 1."""
    try:
        print(try_here())
    except (StackError, OSError) as exc:
        print(str(exc))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
