"""Every scenario of the lab.  docs/lab.md lists them for people; ``mclab scenarios`` prints them."""

from difflib import get_close_matches
from typing import Final

from lab.scenarios.agents import AGENTS
from lab.scenarios.bad_conditions import BAD_CONDITIONS
from lab.scenarios.dead_hops import DEAD_HOPS
from lab.scenarios.dead_servers import DEAD_SERVERS
from lab.scenarios.endings import ENDINGS
from lab.scenarios.migrations import MIGRATIONS
from lab.scenarios.model import Scenario
from lab.scenarios.native import NATIVE
from lab.scenarios.outages import OUTAGES
from lab.scenarios.profiles import PROFILES
from lab.scenarios.provisioning import PROVISIONING
from lab.scenarios.refusals import REFUSALS
from lab.scenarios.services import SERVICES
from lab.scenarios.tokens import TOKENS

_ALL: Final = (
    *NATIVE,
    *MIGRATIONS,
    *SERVICES,
    *PROFILES,
    *AGENTS,
    *PROVISIONING,
    *REFUSALS,
    *TOKENS,
    *ENDINGS,
    *OUTAGES,
    *DEAD_HOPS,
    *DEAD_SERVERS,
    *BAD_CONDITIONS,
)
SCENARIOS: Final[dict[str, Scenario]] = {scenario.name: scenario for scenario in _ALL}


class UnknownScenario(ValueError):
    """There is no scenario of that name; the text suggests near names."""


def scenario_named(name: str) -> Scenario:
    """Return a scenario by its name.

    Raises:
        UnknownScenario: there is none; the text suggests near names.
    """
    try:
        return SCENARIOS[name]
    except KeyError:
        near = get_close_matches(name, SCENARIOS, n=3, cutoff=0.4)
        hint = f"; did you mean {', '.join(near)}?" if near else "; mclab scenarios lists them"
        raise UnknownScenario(f"no scenario {name}{hint}") from None
