"""What a peer may ask and how often, as a row of ``[[peers]]`` says it or ``[groups.NAME]`` for all peers of a group.

A row takes each key that it does not state from the table of its group; a key that it states is its own, empty or not.
The bucket of ``requests_per_s`` and ``burst`` is each peer's own in both cases.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from diameter_proxy.config_types import DiameterIdentity, Integer, SystemName, Table

GroupName = Literal["cscf", "hss", "mms", "partner", "agent"]
CommandName = Literal["UAR", "SAR", "LIR", "MAR", "RTR", "PPR"]


class AllowTable(Table):
    """``[groups.NAME]``: allow list and rate of the peers of a group; the same keys stand in ``[[peers]]``."""

    commands: Annotated[
        tuple[CommandName, ...],
        Field(description="What it may ask; empty: whatever the routing table lets its group ask."),
    ] = ()
    origin_realms: Annotated[
        tuple[DiameterIdentity, ...], Field(max_length=64, description="Origin-Realms of its requests; empty: any.")
    ] = ()
    identity_domains: Annotated[
        tuple[DiameterIdentity, ...], Field(max_length=64, description="Domains that it may ask about; empty: any.")
    ] = ()
    requests_per_s: Annotated[float, Field(ge=0, le=1_000_000, description="More are 3004; 0: no limit.")] = 0.0
    burst: Annotated[Integer, Field(ge=1, le=1_000_000, description="Requests at once within that rate.")] = 100
    vouches_for: Annotated[
        dict[SystemName, DiameterIdentity],
        Field(
            default_factory=dict,
            max_length=64,
            description="An agent: the systems behind it, and the Origin-Realm of each.",
        ),
    ]

    @model_validator(mode="after")
    def _names_each_realm_once(self) -> Self:
        if len(set(self.vouches_for.values())) < len(self.vouches_for):
            raise ValueError("vouches_for: one realm stands for two systems")
        return self

    def completed_by(self, group: "AllowTable | None", *, but: frozenset[str] = frozenset()) -> Self:
        """Return this row with what its group states and the row does not, the keys in ``but`` left out."""
        if group is None:
            return self
        keys = group.model_fields_set - self.model_fields_set - but
        return self.model_copy(update={key: getattr(group, key) for key in keys})


Groups = Mapping[GroupName, AllowTable]
NO_GROUPS: Final[Groups] = {}


def limits_in_words(row: AllowTable, whole: AllowTable, table: str) -> tuple[str, ...]:
    """Return each limit that holds for a peer, and where it was stated: ``commands = MAR (groups.partner)``.

    Args:
        row: as it stands in ``[[peers]]``.
        whole: the same, completed by the group.
        table: the name of the group's table.
    """
    said = [key for key in AllowTable.model_fields if key in whole.model_fields_set]
    if not whole.requests_per_s and "burst" in said:
        said.remove("burst")
    where = {key: "its own row" if key in row.model_fields_set else table for key in said}
    return tuple(f"{key} = {_in_words(getattr(whole, key))} ({where[key]})" for key in said)


def check_groups(groups: Groups) -> None:
    """Return when each group states only what its peers may have.

    Raises:
        ValueError: a group other than ``partner`` vouches for other systems.
    """
    for name, group in groups.items():
        if group.vouches_for and name != "partner":
            raise ValueError(f"groups.{name}.vouches_for: only a partner vouches for systems: see groups.partner")


def _in_words(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(value) or "any"
    if isinstance(value, dict):
        return " ".join(value) or "none"
    return f"{value:g}" if value else "no limit"
