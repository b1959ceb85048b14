"""The base image of the containers, made or found."""

from lab.commands.errors import Failure
from lab.commands.progress import Say
from lab.runtime.base_image import BASE, has_image, make_base_image
from lab.runtime.runtime import RuntimeFailure


def make_base(mirror: str, say: Say, *, again: bool) -> str:
    """Make the base image where there is none, or anew, and return a line that says so.

    Raises:
        Failure: there is no engine or no debootstrap, or one of them fails.
    """
    try:
        if has_image(BASE) and not again:
            return f"{BASE} is there"
        make_base_image(mirror, say)
    except RuntimeFailure as exc:
        raise Failure(str(exc)) from exc
    return f"{BASE} is made"
