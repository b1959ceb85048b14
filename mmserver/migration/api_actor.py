"""What the routers share: who asks, as it goes to the audit trail, who may have what done, and how a binding is named.

CSC-X has two roles (docs/decisions/0005): the CMS carries out procedures, administrators decide on migration itself.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, Final, Protocol

from fastapi import Path, Request

from mmserver.http.access import RefusalLog, client_names
from mmserver.http.problems import CLIENT_NOT_ALLOWED, ProblemFound
from mmserver.messages import Role
from mmserver.migration.bindings import IdentityBinding

HANDLE: Final = r"^[A-Za-z0-9_.\-]+$"
HANDLE_OR_NONE: Final = r"^[A-Za-z0-9_.\-]*$"
Handle = Annotated[str, Path(min_length=1, max_length=64, pattern=HANDLE)]


def actor_of(request: Request) -> str:
    """Return the verified names of the client, for the audit trail."""
    return ",".join(sorted(client_names(request))) or "nobody"


def administrators_only(names: Iterable[str]) -> Callable[[Request], Awaitable[None]]:
    """Return what lets these clients through and no other that may call CSC-X, such as the CMS."""
    admitted = frozenset(name.lower() for name in names)
    refusals = RefusalLog()

    async def check(request: Request) -> None:
        if client_names(request) & admitted:
            return
        refusals.refused(request.scope, "what is for administrators")
        kind = CLIENT_NOT_ALLOWED
        raise ProblemFound(kind.status, kind.name, kind.title, "this operation is for administrators")

    return check


def lifting(names: Iterable[str], request: Request) -> Callable[[str], bool]:
    """Return whether this caller may undo what an actor has disabled: not, where only that one is an administrator."""
    administrators = frozenset(name.lower() for name in names)
    is_administrator = bool(client_names(request) & administrators)
    return lambda disabler: is_administrator or not administrators & set(disabler.split(","))


class BindingReader(Protocol):
    """Where a binding is looked up."""

    async def get(self, handle: str) -> IdentityBinding:
        """Return one binding; raises BindingUnknown."""


def administrators_or_lent_here(names: Iterable[str], bindings: BindingReader) -> Callable[..., Awaitable[None]]:
    """Return what lets administrators through, and others only to a set that we lend to a partner's user.

    Over CSC-17 the primary may have its own user served no more, and again: the CMS disables and enables those.  That
    one of our own users may migrate again is for an administrator to say.
    """
    administrators = frozenset(name.lower() for name in names)
    refuse = administrators_only(administrators)

    async def check(binding: Handle, request: Request) -> None:
        if client_names(request) & administrators:
            return
        if (await bindings.get(binding)).role is not Role.PARTNER:
            await refuse(request)

    return check
