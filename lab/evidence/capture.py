"""The capture that users get: names of the lab, TLS secrets and a comment on each frame that proves a step.

The order is forced by tools: editcap 4.0 cannot read a file again that holds secrets, so comments and secrets go in
with one call; no tool of Wireshark writes a Name Resolution Block, so that comes last (pcapng, draft-ietf-opsawg).
``raw.pcapng`` stays as dumpcap wrote it.
"""

import ipaddress
import shutil
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from lab.evidence.dissect import WIRESHARK_FOLDER, reason_of

RAW: Final = "raw.pcapng"
FINISHED: Final = "capture.pcapng"
KEY_LOG: Final = "tls.keys"
PROFILE: Final = "wireshark"

_SECTION_HEADER: Final = 0x0A0D0D0A
_NAME_RESOLUTION: Final = 4
_COMMENT_OCTETS_MAX: Final = 400
_HEAD_OCTETS: Final = 1 << 20
"""More than a Section Header Block has; the rest is copied without being read whole."""


class CaptureError(Exception):
    """The capture is missing or cannot be finished; the text is one line."""


def finish(run_directory: Path, names: Mapping[str, str], comments: Mapping[int, str] | None = None) -> Path:
    """Make ``capture.pcapng`` from ``raw.pcapng``, the key logs and ``names`` (address -> host name); return its path.

    Raises:
        CaptureError: there is no raw capture, or editcap is missing or failed.
    """
    raw, finished = run_directory / RAW, run_directory / FINISHED
    if not raw.is_file():
        raise CaptureError(f"{raw}: no such capture; was the lab stopped before it captured anything?")
    keys = merge_key_logs(run_directory)
    drafts = [run_directory / name for name in (".capture.commented", ".capture.named")]
    try:
        commented, named = drafts
        _edit(raw, commented, keys, comments or {})
        named.touch(mode=0o600)  # it holds the secrets of all TLS connections
        with commented.open("rb") as source, named.open("wb") as target:
            target.write(with_names(source.read(_HEAD_OCTETS), names))
            shutil.copyfileobj(source, target)
        named.replace(finished)  # whole or not at all: what was interrupted is never taken for a capture
    finally:
        for draft in drafts:
            draft.unlink(missing_ok=True)
    copy_profile(run_directory)
    return finished


def _edit(raw: Path, target: Path, keys: Path, comments: Mapping[int, str]) -> None:
    """Have editcap put comments and secrets in."""
    arguments = ["editcap"]
    for number, text in sorted(comments.items()):
        arguments += ["-a", f"{number}:{text[:_COMMENT_OCTETS_MAX]}"]
    if keys.stat().st_size:
        arguments += ["--inject-secrets", f"tls,{keys}"]
    target.touch(mode=0o600)
    try:
        done = subprocess.run([*arguments, str(raw), str(target)], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise CaptureError("editcap is not installed: run make set-up") from None
    lines = done.stderr.strip().splitlines()
    # A capture that is cut off it copies as far as it goes, and nothing says what is missing.
    if done.returncode != 0 or any("cut short" in line for line in lines):
        raise CaptureError(f"editcap cannot finish {raw}: {reason_of(lines, raw)}")


def merge_key_logs(run_directory: Path) -> Path:
    """Write all key logs of the run into one file, each line once; return its path."""
    merged = run_directory / KEY_LOG
    lines: dict[str, None] = {}
    for file in sorted((run_directory / "keys").glob("*.keys")):
        for line in file.read_text(errors="replace").splitlines():
            if line and not line.startswith("#"):
                lines[line] = None
    merged.write_text("".join(f"{line}\n" for line in lines))
    merged.chmod(0o600)
    return merged


def copy_profile(run_directory: Path) -> Path:
    """Put our Wireshark configuration folder into the run directory; return its path."""
    target = run_directory / PROFILE
    shutil.copytree(WIRESHARK_FOLDER, target, dirs_exist_ok=True)
    return target


def with_names(octets: bytes, names: Mapping[str, str]) -> bytes:
    """Return a pcapng file, or its beginning, with a Name Resolution Block after its Section Header Block.

    Raises:
        CaptureError: the octets are no little-endian pcapng file.
    """
    if len(octets) < 12 or struct.unpack_from("<I", octets)[0] != _SECTION_HEADER:
        raise CaptureError("not a pcapng file")
    (length,) = struct.unpack_from("<I", octets, 4)
    if octets[8:12] != b"\x4d\x3c\x2b\x1a" or not 28 <= length <= len(octets):
        raise CaptureError("not a little-endian pcapng file")
    return octets[:length] + _name_resolution_block(names) + octets[length:]


def _name_resolution_block(names: Mapping[str, str]) -> bytes:
    body = b""
    for text, name in names.items():
        address = ipaddress.ip_address(text)
        value = address.packed + name.encode() + b"\0"
        body += struct.pack("<HH", 1 if address.version == 4 else 2, len(value)) + value + b"\0" * (-len(value) % 4)
    body += struct.pack("<HH", 0, 0)
    length = 12 + len(body)
    return struct.pack("<II", _NAME_RESOLUTION, length) + body + struct.pack("<I", length)
