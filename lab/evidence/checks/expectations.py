"""The checks that a scenario may ask for by name (docs/report.md), and how one is run.

A name or a parameter that is not there is a mistake of the scenario and makes the check ``unknown``.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from lab.evidence.checks import calls, lifecycle, moments, service_authorisation, sets, sip, tokens, wires
from lab.evidence.checks.finding import Finding
from lab.evidence.story import Evidence


class NamedCheck(Protocol):
    """A check as a scenario names it."""

    @property
    def name(self) -> str: ...

    @property
    def parameters(self) -> Mapping[str, Any]: ...


# fmt: off
REGISTRY: Final[dict[str, Callable[..., Finding]]] = {
    "sip-status":             sip.sip_status,
    "sip-got":                sip.sip_got,
    "sip-never":              sip.sip_never,
    "registrations":          sip.registrations,
    "deregistered":           sip.deregistered,
    "resynchronised":         sip.resynchronised,
    "challenge-unanswered":   sip.challenge_unanswered,
    "message-delivered":      sip.message_delivered,
    "called":                 calls.called,
    "call-refused":           calls.call_refused,
    "service-authorised":     service_authorisation.service_authorised,
    "service-refused":        service_authorisation.service_refused,
    "time-between":           sip.time_between,
    "both-orders":            sip.both_orders,
    "diameter-answer":        wires.diameter_answer,
    "http-refused":           wires.http_refused,
    "nothing-on":             wires.nothing_on,
    "identity-absent":        wires.identity_absent,
    "through-agents":         wires.through_agents,
    "home-registration-kept": wires.home_registration_kept,
    "distinct-sets":          sets.distinct_sets,
    "partner-chosen":         sets.partner_chosen,
    "hss-asked-for":          sets.hss_asked_for,
    "impus-paired":           sets.impus_paired,
    "sets-per-partner":       sets.sets_per_partner,
    "configuration-off-line": sets.configuration_off_line,
    "registration-terminated": lifecycle.registration_terminated,
    "withdrawal-told":        lifecycle.withdrawal_told,
    "refused-before-told":    lifecycle.refused_before_told,
    "cancelled-by-hss":       lifecycle.cancelled_by_hss,
    "message-refused":        lifecycle.message_refused,
    "registration-event":     lifecycle.registration_event,
    "hold-lapsed":            lifecycle.hold_lapsed,
    "instance-lost":          lifecycle.instance_lost,
    "at-moment":              moments.at_moment,
    "token-refused":          tokens.token_refused,
    "assertion-serves-once":  tokens.assertion_serves_once,
    "two-signing-keys":       tokens.two_signing_keys,
}
# fmt: on


def describe(check: NamedCheck) -> str:
    """Return the check in words: its name and parameters."""
    words = ", ".join(f"{key}={value}" for key, value in check.parameters.items())
    return f"{check.name}({words})" if words else check.name


def run_check(check: NamedCheck, evidence: Evidence) -> Finding:
    """Run a named check.

    Raises:
        KeyError: there is no check of that name.
        TypeError: it has other parameters.
    """
    return REGISTRY[check.name](evidence, **dict(check.parameters))
