"""The lab's two images, built from this source tree and built again when it has changed.

Each image has the digest of what went into it as a label.  No registry is asked: where the base image is missing it is
made (``lab.runtime.base_image``).
"""

import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from lab.runtime.base_image import BASE, has_image, make_base_image
from lab.runtime.engine import ask_engine, engine_command, out_of_order, require_engine
from lab.runtime.parts import KAMAILIO, PYTHON
from lab.runtime.runtime import RuntimeFailure

TREE: Final = Path(__file__).resolve().parents[2]
AUTHORITIES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
DIGEST: Final = "mclab.sources"
PIP_SETTINGS: Final = ("PIP_INDEX_URL",)
SHOWN_LINES: Final = 8
_ONCE: Final = {KAMAILIO: "a minute or two", PYTHON: "some minutes the first time"}
SOURCES: Final = {
    KAMAILIO: ("lab/images/Containerfile.kamailio", "lab/images/begin", "kamailio-config"),
    PYTHON: ("pyproject.toml", "setup.py", "kamailio-config", "mmserver", "diameter_proxy", "ue_agent", "lab"),
}
"""What each image is made of, from this tree."""


def make_images(say: Callable[[str], None], mirror: str = "") -> None:
    """Build the images that are missing or made of another source, and the base image where there is none.

    Raises:
        RuntimeFailure: there is no engine, or an image cannot be made.
    """
    require_engine()
    stale = {name: digest for name in SOURCES if _digest_of(name) != (digest := sources_digest(TREE, SOURCES[name]))}
    if not stale:
        return
    if not has_image(BASE):
        say(f"no image {BASE} here: making it from Debian packages (a minute or two)")
        make_base_image(mirror, say)
    for name, digest in stale.items():
        say(f"building image {name} ({_ONCE[name]})")
        _build(name, digest, say)
    # What the new ones took the name from; an image that a lab still uses stays.
    subprocess.run(
        engine_command("image", "prune", "--force", "--filter", f"label={DIGEST}"), capture_output=True, check=False
    )


def sources_digest(tree: Path, sources: Sequence[str]) -> str:
    """Return the digest of files and folders of a tree, names and all; what Python compiles beside them is left out."""
    digest = hashlib.sha256()
    for file in sorted(_files(tree, sources)):
        digest.update(f"{file.relative_to(tree)}\0{file.stat().st_size}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def _files(tree: Path, sources: Sequence[str]) -> Iterator[Path]:
    for source in sources:
        place = tree / source
        for file in [place] if place.is_file() else place.rglob("*"):
            if file.is_file() and file.suffix not in (".pyc", ".so") and "__pycache__" not in file.parts:
                yield file


def _digest_of(name: str) -> str:
    """Return the label of an image, empty where there is no image."""
    looked = ask_engine("image", "inspect", "--format", f'{{{{index .Labels "{DIGEST}"}}}}', name)
    if looked.returncode != 0 and "image not known" not in looked.stderr and "no such image" not in looked.stderr:
        raise RuntimeFailure(out_of_order(("image",), looked.stderr, looked.returncode))
    return looked.stdout.strip()


def _build(name: str, digest: str, say: Callable[[str], None]) -> None:
    said: list[str] = []
    with subprocess.Popen(
        build_command(name, digest),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                said.append(line.rstrip())
                if "STEP " in line:
                    say(f"  {line.strip()[:100]}")
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise RuntimeFailure("\n  ".join([f"image {name}: podman build failed", *said[-SHOWN_LINES:]]))


def build_command(name: str, digest: str) -> list[str]:
    """Return what builds an image; pip asks the index, and trusts the authorities, that this machine has."""
    containerfile = TREE / "lab" / "images" / f"Containerfile.{name.removeprefix('mclab-')}"
    settings = [f"{key}={os.environ[key]}" for key in PIP_SETTINGS if key in os.environ]
    return engine_command(
        *("build", "--pull=never", "--network", "host", "--label", f"{DIGEST}={digest}", "--tag", name),
        *(word for setting in settings for word in ("--build-arg", setting)),
        *(("--secret", f"id=ca,src={AUTHORITIES}") if name == PYTHON and AUTHORITIES.exists() else ()),
        *("--file", str(containerfile), str(TREE)),
    )
