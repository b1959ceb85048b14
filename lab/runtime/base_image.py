"""The base image ``debian:bookworm-slim``, made from Debian packages where no registry of images is reached.

debootstrap unpacks a minimal system into a folder, in a mount namespace of its own: what it mounts is gone with it.
The engine takes the folder in under the name that the Containerfiles ask for.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from lab.runtime.engine import SET_UP, ask_engine, engine_command, out_of_order, refusal, require_engine
from lab.runtime.runtime import RuntimeFailure

BASE: Final = "debian:bookworm-slim"
SUITE: Final = "bookworm"
FOLDER: Final = Path("/var/tmp")  # noqa: S108 - 200 MB, which a /tmp in memory may not have
PHASES: Final = {"Retrieving": "fetching packages", "Extracting": "unpacking", "Configuring": "configuring"}
LEFT_OUT: Final = ("./var/cache/apt/archives/*.deb", "./var/lib/apt/lists/*", "./var/log/*.log", "./proc/*", "./sys/*")
SHOWN_LINES: Final = 6


def has_image(name: str) -> bool:
    """Say whether the engine has an image.

    Raises:
        RuntimeFailure: there is no engine, or it does not work.
    """
    require_engine()
    asked = ask_engine("image", "exists", name)
    if asked.returncode not in (0, 1):
        raise RuntimeFailure(out_of_order(("image",), asked.stderr, asked.returncode))
    return asked.returncode == 0


def make_base_image(mirror: str, say: Callable[[str], None]) -> None:
    """Make the base image; ``mirror`` is of Debian packages, debootstrap's own choice when empty.

    Raises:
        RuntimeFailure: a tool is missing, or fails.
    """
    require_engine()
    if shutil.which("debootstrap") is None:
        raise RuntimeFailure(f"debootstrap is not installed; {SET_UP} installs it")
    with tempfile.TemporaryDirectory(prefix="mclab-base-", dir=FOLDER) as folder:
        root = Path(folder) / "root"
        _debootstrap(root, mirror, say)
        say("base image: giving it to the engine")
        _import(root)


def _debootstrap(root: Path, mirror: str, say: Callable[[str], None]) -> None:
    said: list[str] = []
    phase = ""
    command = [
        "unshare",
        "--mount",
        "debootstrap",
        "--variant=minbase",
        SUITE,
        str(root),
        *([mirror] if mirror else []),
    ]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                said.append(line.strip())
                word = line.removeprefix("I: ").split(" ", 1)[0]
                if PHASES.get(word, phase) != phase:
                    phase = PHASES[word]
                    say(f"base image: {phase}")
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise RuntimeFailure("\n  ".join([f"debootstrap ended with {process.returncode}", *said[-SHOWN_LINES:]]))


def _import(root: Path) -> None:
    packing = ["tar", "-C", str(root), *(f"--exclude={pattern}" for pattern in LEFT_OUT), "-c", "."]
    taking = engine_command("import", "--quiet", "--change", 'CMD ["bash"]', "-", BASE)
    with subprocess.Popen(packing, stdout=subprocess.PIPE) as tar:
        taken = subprocess.run(taking, stdin=tar.stdout, capture_output=True, text=True, check=False)
    if tar.returncode != 0 or taken.returncode != 0:
        raise RuntimeFailure(refusal(("import",), taken.stderr, taken.returncode or tar.returncode))
