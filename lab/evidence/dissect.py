"""A capture through tshark: every message decrypted, and every payload as it was on the wire.

tshark is the only dissector: nothing here decodes octets of a protocol.
``WIRESHARK_CONFIG_DIR`` is our own folder: without it tshark 4.0 takes decrypted Diameter requests for Remote
Desktop (``rdpmt``).
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any, Final

from lab.evidence.messages import Capture, Frame, Payload
from lab.evidence.packets import PAYLOAD_FIELDS, read_broken, read_packets, read_payloads

WIRESHARK_FOLDER: Final = Path(__file__).parent / "wireshark"
FRAMES_MAX: Final = 200_000
"""Frames with messages in one capture: some 5 KiB each once they are read.  A storm is read in a stream (``crowd``)."""
PAYLOAD_OCTETS_MAX: Final = 256 << 20
"""What is carried over TCP and UDP in one capture: all of it is searched for identities."""
CUT: Final = "cut a part out: editcap -A FROM -B TO"
_FILTER: Final = "sip || diameter || http || tls.handshake.type == 11"
_LAYERS: Final = "frame ip tcp udp tls sip diameter http"


class DissectionFailed(Exception):
    """tshark is missing, or could not read the capture."""


class Tsharks:
    """The tsharks at work on one capture: all end where one is not to go on, those too that begin just then."""

    def __init__(self) -> None:
        self._there: list[subprocess.Popen[str]] = []
        self._is_over = False
        self._lock = Lock()

    def add(self, process: "subprocess.Popen[str]") -> None:
        """Take one that has begun."""
        with self._lock:
            self._there.append(process)
            if self._is_over:
                process.kill()

    def end(self) -> None:
        """End them."""
        with self._lock:
            self._is_over = True
            for process in self._there:
                process.kill()


def stream_tshark(
    capture: Path, *arguments: str, config: Path | None = None, begun: Tsharks | None = None
) -> Iterator[str]:
    """Yield tshark's standard output on ``capture`` line by line, while it works; ``begun`` takes its process.

    It is ended where nobody wants the rest.

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
        if begun is not None:
            begun.add(process)
        with process:
            assert process.stdout is not None
            try:
                yield from process.stdout
            except BaseException:
                process.kill()
                raise
        if process.returncode != 0:
            said.seek(0)
            lines = [line.strip() for line in said if not line.startswith("Running as user")]
            raise DissectionFailed(f"tshark cannot read {capture}: {reason_of(lines, capture)}")


def reason_of(lines: Sequence[str], capture: Path) -> str:
    """Return why a tool of Wireshark cannot read a capture, without its own name and the file's, and with the mend."""
    last = lines[-1] if lines else "no reason given"
    if "cut short" in last:
        return f"it is cut short in the middle of a packet; editcap {capture} WHOLE.pcapng copies what is whole"
    if "isn't a capture file" in last:
        return "it is no capture; wanted a .pcap or .pcapng"
    return last


def dissect(capture: Path, *, key_log: Path | None = None, config: Path | None = None) -> Capture:
    """Return what tshark sees in ``capture``; TLS secrets come from the file itself or from ``key_log``.

    Raises:
        DissectionFailed: the file is missing, is no capture, is empty, or tshark failed.
    """
    if not capture.is_file():
        raise DissectionFailed(f"{capture}: no such capture")
    keys = ("-o", f"tls.keylog_file:{key_log}") if key_log else ()
    begun = Tsharks()
    with ThreadPoolExecutor(1) as beside:  # two passes that know nothing of each other
        reading = beside.submit(_read_frames, capture, begun)
        reading.add_done_callback(lambda done: begun.end() if done.exception() else None)
        try:
            packets = stream_packets(capture, *keys, "-Y", _FILTER, "-J", _LAYERS, config=config, begun=begun)
            messages = read_packets(packets)
            payloads, broken = reading.result()
        except BaseException:  # Ctrl-C, or one pass has failed: nobody wants what the other still reads
            first = reading.exception() if reading.done() else None
            begun.end()
            if first is not None:
                raise first from None
            raise
    if not payloads:
        raise DissectionFailed(f"{capture}: there is no frame with TCP or UDP in it")
    return replace(messages, payloads=tuple(payloads), broken=tuple(broken))


def stream_packets(
    capture: Path, *arguments: str, config: Path | None = None, begun: Tsharks | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the layers of each frame that tshark shows, one at a time: its JSON is never held whole.

    Raises:
        DissectionFailed: there is no such file, tshark failed, or shows more than ``FRAMES_MAX`` frames.
    """
    lines = stream_tshark(capture, *arguments, "-T", "json", "--no-duplicate-keys", config=config, begun=begun)
    for count, text in enumerate(_objects(lines), 1):
        if count > FRAMES_MAX:
            raise DissectionFailed(f"{capture}: over {FRAMES_MAX:,} frames with SIP, Diameter or HTTP; {CUT}")
        try:
            yield json.loads(text)["_source"]["layers"]
        except (ValueError, KeyError, TypeError) as exc:
            raise DissectionFailed(f"tshark's output for {capture} is no JSON: {exc}") from exc


def _objects(lines: Iterable[str]) -> Iterator[str]:
    """Yield each object of tshark's array: it begins and ends with a brace after two spaces, what is in it has more."""
    part: list[str] = []
    for line in lines:
        if part or line.startswith("  {"):
            part.append(line)
        if part and line.startswith("  }"):
            part[-1] = "  }"
            yield "".join(part)
            part = []
    if part:
        yield "".join(part)


def _read_frames(capture: Path, begun: Tsharks) -> tuple[list[Payload], list[Frame]]:
    """Return what each frame carried, octet for octet, and the frames that ended or refused a connection.

    Raises:
        DissectionFailed: tshark failed, or there are more than ``PAYLOAD_OCTETS_MAX``.
    """
    fields = [argument for name in PAYLOAD_FIELDS for argument in ("-e", name)]
    wanted = "ip && (tcp.len > 0 || tcp.flags.reset == 1 || tcp.flags.fin == 1 || udp)"
    payloads: list[Payload] = []
    broken: list[Frame] = []
    octets = 0
    for line in stream_tshark(capture, "-Y", wanted, "-T", "fields", "-E", "occurrence=f", *fields, begun=begun):
        for payload in read_payloads((line,)):
            payloads.append(payload)
            octets += len(payload.octets)
        broken += read_broken((line,))
        if octets > PAYLOAD_OCTETS_MAX:
            raise DissectionFailed(f"{capture}: over {PAYLOAD_OCTETS_MAX:,} octets in its TCP and UDP; {CUT}")
    return payloads, broken
