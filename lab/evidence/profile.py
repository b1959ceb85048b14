"""The Wireshark profile of a run: columns, a filter button for each step and each wire, a colour for each wire.

The folder of ours (``wireshark/``) is copied, and what depends on the run is written over it: buttons from the report's
filters, wires from the addresses of the run.  Formats are Wireshark 4.0's: ``dfilter_buttons`` is a UAT, in which
``//`` in a label makes a menu, ``colorfilters`` has one rule a line and the first that matches wins.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from lab.evidence.capture import copy_profile
from lab.evidence.checks.finding import frame_filter
from lab.evidence.facts import RunFacts
from lab.evidence.report import Report, StepReport

BUTTONS: Final = "dfilter_buttons"
COLOURS: Final = "colorfilters"
NO_BASE: Final = "!(diameter.cmd.code in {257, 280, 282})"


class Wire(NamedTuple):
    """One wire: its name, the roles at its ends, what passes on it, and its colour (red, green, blue, of 255)."""

    name: str
    ends: tuple[tuple[str, ...], tuple[str, ...]]
    protocol: str
    colour: tuple[int, int, int]


# fmt: off
WIRES: Final = (
    Wire("Gm",     (("ue",), ("pcscf",)),                       "sip",             (218, 238, 255)),
    Wire("Mw",     (("pcscf", "icscf", "scscf"),) * 2,          "sip",             (236, 246, 255)),
    Wire("AAA-2",  (("icscf", "scscf", "probe"), ("proxy",)),   "diameter",        (255, 243, 205)),
    Wire("CSC-Y",  (("proxy", "edge"),) * 2,                    "diameter && tls", (255, 214, 153)),
    Wire("Cx MMS", (("proxy",), ("mms",)),                      "diameter",        (231, 246, 213)),
    Wire("Cx",     (("proxy", "mms", "icscf", "scscf", "dra"), ("hss", "dra")), "diameter", (209, 236, 185)),
    Wire("CSC-1",  (("ue", "cms"), ("idms",)),                  "http",            (240, 224, 250)),
    Wire("CSC-4",  (("ue",), ("cms",)),                         "http",            (225, 205, 245)),
    Wire("CSC-X",  (("cms",), ("mms",)),                        "http",            (250, 218, 232)),
    Wire("CSC-17", (("cms",), ("cms",)),                        "http",            (245, 193, 216)),
    Wire("feed",   (("proxy",), ("mms",)),                      "http",            (228, 228, 228)),
)
# fmt: on


def write_profile(report: Report, facts: RunFacts, run_directory: Path) -> Path:
    """Write the Wireshark profile of a run; return its folder."""
    folder = copy_profile(run_directory)
    (folder / BUTTONS).write_text("".join(f"{line}\n" for line in button_lines(report, facts)))
    (folder / COLOURS).write_text("".join(f"{line}\n" for line in colour_lines(facts)))
    return folder


def button_lines(report: Report, facts: RunFacts) -> Iterator[str]:
    """Yield the buttons: proving frames, each step in the menu of its procedure, each wire."""
    yield _button("proving frames", "frame.comment", "every frame that proves a step")
    for step in report.steps:
        procedure, _, number = step.id.rpartition("-")
        yield _button(f"{procedure}//{number} {step.title}", step_filter(step), f"{step.wire}: {step.verdict}")
    for wire in WIRES:
        display_filter = wire_filter(wire, facts)
        if display_filter:
            yield _button(f"wire//{wire.name}", display_filter, f"all messages on {wire.name}")


def step_filter(step: StepReport) -> str:
    """Return a filter that selects what proves a step; for one that did not take place, its comments: none.

    The report's own filter may be about a message where the proof has a frame beside it: those are added.
    """
    frames = frame_filter(step.frames)
    if step.filter and frames:
        return f"({step.filter}) || {frames}" if step.filter != frames else frames
    return step.filter or frames or f'frame.comment contains "{step.id} "'


def colour_lines(facts: RunFacts) -> Iterator[str]:
    """Yield one colour rule a wire, dark text on a light ground; failures of SIP and Diameter before them all."""
    yield _colour("failure", "sip.Status-Code >= 402 || diameter.flags.error == 1", (255, 170, 160))
    for wire in WIRES:
        display_filter = wire_filter(wire, facts)
        if display_filter:
            yield _colour(wire.name, display_filter, wire.colour)


def wire_filter(wire: Wire, facts: RunFacts) -> str:
    """Return a filter for all messages on a wire; empty where the run has no such hosts."""
    one, other = (_addresses(roles, facts) for roles in wire.ends)
    if not one or not other:
        return ""
    base = f"{wire.protocol} && {NO_BASE}" if wire.protocol.startswith("diameter") else wire.protocol
    there, back = f"(ip.src in {one} && ip.dst in {other})", f"(ip.src in {other} && ip.dst in {one})"
    return f"{base} && ({there} || {back})" if one != other else f"{base} && {there}"


def _addresses(roles: Sequence[str], facts: RunFacts) -> str:
    found = sorted(address for address in facts.names() if facts.role(address) in roles)
    return f"{{{', '.join(found)}}}" if found else ""


def _button(label: str, display_filter: str, comment: str) -> str:
    return ",".join(_quoted(text) for text in ("TRUE", label, display_filter, comment))


def _quoted(text: str) -> str:
    """Return a UAT string: quotes and backslashes as hexadecimal escapes."""
    return '"' + text.replace("\\", "\\x5c").replace('"', "\\x22") + '"'


def _colour(name: str, display_filter: str, ground: tuple[int, int, int]) -> str:
    """Return a colour rule: name, filter, background and text as 16-bit red, green, blue."""
    back = ",".join(str(value * 257) for value in ground)
    return f"@{name}@{display_filter}@[{back}][4626,10023,11822]"
