"""The digest is of all sources of the hot path, and is to be had where nothing is installed."""

import hashlib
import subprocess
import sys
from pathlib import Path

from diameter_proxy import hot_sources

ROOT = Path(__file__).resolve().parents[3]


def test_the_digest_is_of_all_sources():
    folder = ROOT / "diameter_proxy"
    octets = b"".join((folder / f"{name}.py").read_bytes() for name in hot_sources.MODULES)
    assert hot_sources.digest() == hashlib.sha256(octets).hexdigest()


def test_an_installation_can_ask_for_it_before_any_package_is_there():
    """Isolated mode without site-packages: what a build in an environment of its own has."""
    script = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from diameter_proxy.hot_sources import digest; print(digest())"
    )
    child = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == hot_sources.digest()
