"""Redirect indications of upstream peers (RFC 6733 §6.1.8, §6.12): whom they name.

Nothing is kept for later requests: Redirect-Host-Usage other than DONT_CACHE is a permission, not a duty (§6.13).
"""

from typing import Final

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.errors import PermanentFailure
from diameter_proxy.diameter.wire import walk_avps

REDIRECTS_MAX: Final = 3
"""A request follows so many indications at most: redirect agents may send each other in a circle."""
HOSTS_MAX: Final = 16
_SCHEMES: Final = ("aaa://", "aaas://")


def hosts_named_by(answer: bytes) -> tuple[str, ...]:
    """Return the hosts of the Redirect-Host AVPs, in lower case and in their order; none where it cannot be read."""
    try:
        spans = [span for span in walk_avps(answer) if span.code == d.REDIRECT_HOST.code and span.vendor_id == 0]
    except PermanentFailure:
        return ()
    found = (_host_of(answer[span.value : span.end]) for span in spans[:HOSTS_MAX])
    return tuple(dict.fromkeys(host for host in found if host))


def _host_of(uri: bytes) -> str:
    """Return the FQDN of a DiameterURI, or an empty text (RFC 6733 §4.3.1)."""
    text = uri.decode("ascii", "replace").lower()
    for scheme in _SCHEMES:
        if text.startswith(scheme):
            return text[len(scheme) :].partition(";")[0].partition(":")[0]
    return ""
