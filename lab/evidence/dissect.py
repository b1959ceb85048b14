"""A capture through tshark: every message decrypted, and every payload as it was on the wire.

tshark is the only dissector: nothing here decodes octets of a protocol.
``WIRESHARK_CONFIG_DIR`` is our own folder: without it tshark 4.0 takes decrypted Diameter requests for Remote
Desktop (``rdpmt``).
"""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lab.evidence.messages import Capture, Payload
from lab.evidence.packets import PAYLOAD_FIELDS, read_broken, read_packets, read_payloads

WIRESHARK_FOLDER: Final = Path(__file__).parent / "wireshark"
DISSECT_TIMEOUT_S: Final = 300.0
_FILTER: Final = "sip || diameter || http || tls.handshake.type == 11"
_LAYERS: Final = "frame ip tcp udp tls sip diameter http"


class DissectionFailed(Exception):
    """tshark is missing, or could not read the capture."""


def run_tshark(capture: Path, *arguments: str, config: Path | None = None) -> str:
    """Return tshark's standard output on ``capture``.

    Raises:
        DissectionFailed: tshark is missing, was too slow, or cannot read the file.
    """
    environment = {**os.environ, "WIRESHARK_CONFIG_DIR": str(config or WIRESHARK_FOLDER)}
    try:
        done = subprocess.run(
            ["tshark", "-n", "-r", str(capture), *arguments],
            env=environment, capture_output=True, text=True, errors="replace", timeout=DISSECT_TIMEOUT_S, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise DissectionFailed("tshark is not installed: run make set-up") from None
    except subprocess.TimeoutExpired:
        raise DissectionFailed(f"tshark took over {DISSECT_TIMEOUT_S:.0f} s on {capture}") from None
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if not line.startswith("Running as user")]
        raise DissectionFailed(f"tshark cannot read {capture}: {lines[-1] if lines else 'no reason given'}")
    return done.stdout


def stream_tshark(capture: Path, *arguments: str, config: Path | None = None) -> Iterator[str]:
    """Yield tshark's standard output on ``capture`` line by line, while it works.

    Raises:
        DissectionFailed: there is no such file, tshark is missing, or cannot read it.
    """
    if not capture.is_file():
        raise DissectionFailed(f"{capture}: no such capture")
    environment = {**os.environ, "WIRESHARK_CONFIG_DIR": str(config or WIRESHARK_FOLDER)}
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        try:
            process = subprocess.Popen(
                ["tshark", "-n", "-r", str(capture), *arguments],
                env=environment, stdout=subprocess.PIPE, stderr=said, text=True, errors="replace",
            )  # fmt: skip
        except FileNotFoundError:
            raise DissectionFailed("tshark is not installed: run make set-up") from None
        with process:
            assert process.stdout is not None
            try:
                yield from process.stdout
            finally:
                if process.poll() is None and not process.stdout.closed:
                    process.stdout.close()
        if process.returncode not in (0, -signal.SIGPIPE):
            said.seek(0)
            lines = [line.strip() for line in said if not line.startswith("Running as user")]
            raise DissectionFailed(f"tshark cannot read {capture}: {lines[-1] if lines else 'no reason given'}")


def dissect(capture: Path, *, key_log: Path | None = None, config: Path | None = None) -> Capture:
    """Return what tshark sees in ``capture``; TLS secrets come from the file itself or from ``key_log``.

    Raises:
        DissectionFailed: the file is missing, is no capture, is empty, or tshark failed.
    """
    if not capture.is_file():
        raise DissectionFailed(f"{capture}: no such capture")
    keys = ("-o", f"tls.keylog_file:{key_log}") if key_log else ()
    text = run_tshark(capture, *keys, "-Y", _FILTER, "-T", "json", "--no-duplicate-keys", "-J", _LAYERS, config=config)
    try:
        packets = json.loads(text) if text.strip() else []
    except ValueError as exc:
        raise DissectionFailed(f"tshark's output for {capture} is no JSON: {exc}") from exc
    lines = _lines_of(capture)
    payloads = tuple(read_payloads(lines))
    if not payloads:
        raise DissectionFailed(f"{capture}: there is no frame with TCP or UDP in it")
    return read_packets((packet["_source"]["layers"] for packet in packets), payloads, read_broken(lines))


def payloads_of(capture: Path) -> tuple[Payload, ...]:
    """Return what each frame carried over TCP or UDP, octet for octet.

    Raises:
        DissectionFailed: tshark failed.
    """
    return tuple(read_payloads(_lines_of(capture)))


def _lines_of(capture: Path) -> list[str]:
    fields = [argument for name in PAYLOAD_FIELDS for argument in ("-e", name)]
    wanted = "ip && (tcp.len > 0 || tcp.flags.reset == 1 || tcp.flags.fin == 1 || udp)"
    return run_tshark(capture, "-Y", wanted, "-T", "fields", "-E", "occurrence=f", *fields).splitlines()
