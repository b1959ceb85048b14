"""The commands of ``ue-agent run`` as values: one JSON object a line, parsed here and nowhere else.

A command that cannot be parsed is still answered: ``parse_command`` says what was wrong and, where it can, which id.
"""

import json
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from mmserver.messages import LocationInformation, SystemName
from ue_agent.errors import UsageError

LINE_OCTETS_MAX: Final = 65536
TEXT_CHARACTERS_MAX: Final = 8192

SipOrTelUri = Annotated[
    str, Field(pattern=r"^(sip:[^\s<>\"@]{1,200}@[A-Za-z0-9.\-]{1,253}(:[0-9]{1,5})?|tel:\+?[0-9\-.]+)$")
]
CommandId = int | str | None


class Command(BaseModel):
    """What every command has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[int | Annotated[str, Field(max_length=100)] | None, Field(description="Comes back in done.")] = None


class Authenticate(Command):
    """10.6.1 step 1 at the primary, 10.6.2 step 1 at a partner."""

    command: Literal["authenticate"]
    system: SystemName
    flow: Literal["password", "code"] = "password"


class GetConnectionDetails(Command):
    """10.1.X.1."""

    command: Literal["get-connection-details"]
    partner: SystemName | None = None
    location: LocationInformation | None = None


class Register(Command):
    """10.6.1 step 3, 10.6.2 step 2; with the access token in it where service authorisation is asked for."""

    command: Literal["register"]
    system: SystemName
    expires: Annotated[int | None, Field(ge=1, le=604800)] = None
    service_authorisation: Annotated[SystemName | None, Field(description="Whose access token REGISTER carries.")] = (
        None
    )


class Refresh(Command):
    """Register again."""

    command: Literal["refresh"]
    system: SystemName


class Deregister(Command):
    """De-register."""

    command: Literal["deregister"]
    system: SystemName


class Message(Command):
    """Send a MESSAGE."""

    command: Literal["message"]
    system: SystemName
    to: SipOrTelUri
    text: Annotated[str, Field(min_length=1, max_length=TEXT_CHARACTERS_MAX)]


class Call(Command):
    """Call somebody; who has not answered after ``ring`` seconds is called off."""

    command: Literal["call"]
    system: SystemName
    to: SipOrTelUri
    ring: Annotated[float, Field(gt=0, le=180)] = 30.0


class Answer(Command):
    """Answer the call that rings: 200, or a refusal such as 486 (busy) and 603 (decline)."""

    command: Literal["answer"]
    system: SystemName
    status: Annotated[int, Field(ge=200, le=699)] = 200


class AwaitMedia(Command):
    """Wait until the call has sent and received so many RTP packets."""

    command: Literal["await-media"]
    system: SystemName
    packets: Annotated[int, Field(ge=1, le=100_000)] = 25
    within: Annotated[float, Field(gt=0, le=600)] = 5.0


class HangUp(Command):
    """End the call."""

    command: Literal["hang-up"]
    system: SystemName


class IsimCommand(Command):
    """Show the card; set its sequence numbers: ``old`` makes the network's next vector old, ``new`` forgets all."""

    command: Literal["isim"]
    sqn: Literal["old", "new"] | Annotated[int, Field(ge=0, lt=1 << 48)] | None = None


class Status(Command):
    """Show what the UE knows."""

    command: Literal["status"]


class Stop(Command):
    """End."""

    command: Literal["stop"]


AnyCommand = (
    Authenticate
    | GetConnectionDetails
    | Register
    | Refresh
    | Deregister
    | Message
    | Call
    | Answer
    | AwaitMedia
    | HangUp
    | IsimCommand
    | Status
    | Stop
)
_COMMAND: Final[TypeAdapter[AnyCommand]] = TypeAdapter(Annotated[AnyCommand, Field(discriminator="command")])


class BadCommand(UsageError):
    """A line is no command.

    Attributes:
        id: the id that the line carries, if any.
    """

    def __init__(self, reason: str, id_: CommandId = None) -> None:
        """Keep the id for the answer."""
        super().__init__(reason)
        self.id = id_


def parse_command(line: bytes) -> AnyCommand:
    """Return the command on a line.

    Raises:
        BadCommand: it is none.
    """
    if len(line) > LINE_OCTETS_MAX:
        raise BadCommand(f"the line is over {LINE_OCTETS_MAX} octets")
    try:
        value: Any = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise BadCommand("the line is not JSON") from exc
    if not isinstance(value, dict):
        raise BadCommand("the line is not a JSON object")
    known = value.get("id")
    id_ = known if isinstance(known, int) or (isinstance(known, str) and len(known) <= 100) else None
    try:
        return _COMMAND.validate_python(value)
    except ValidationError as exc:
        raise BadCommand(_fault(exc), id_) from exc


def _fault(exc: ValidationError) -> str:
    fault = exc.errors(include_url=False, include_input=False)[0]
    if fault["type"].startswith("union_tag"):
        return "no such command"
    where = ".".join(str(part) for part in fault["loc"][1:]) or "command"
    what = "no such member" if fault["type"] == "extra_forbidden" else fault["msg"].removeprefix("Value error, ")
    return f"{where}: {what}"
