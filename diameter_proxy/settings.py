"""Who the proxy is, and its limits, as values of the running program (``config`` reads them from the file)."""

from dataclasses import dataclass

from diameter_proxy.routing import Source


@dataclass(frozen=True, slots=True)
class Settings:
    """Who the proxy is, and its limits in seconds and numbers."""

    origin_host: str
    origin_realm: str
    home_domains: frozenset[bytes]
    secret: bytes
    has_feed: bool = True
    lent_database: Source = Source.MMS
    hss_as_default: bool = False
    server_name: str = ""
    prime_with_uar: bool = False
    visited_network: str = ""
    default_route: str = ""
    aaa_2_s: float = 1.7
    csc_y_s: float = 1.3
    hss_s: float = 1.0
    attempt_s: float = 0.5
    map_age_max_s: float = 300.0
    avps_max: int = 512
    pending_max: int = 20_000
    parked_max: int = 1_000
    look_ups_per_s: float = 500.0
    duplicates_max: int = 10_000
    duplicates_s: float = 10.0
    log_lines_per_s: int = 10
    hiding_keys: tuple[bytes, ...] = ()
    hiding_domains: tuple[bytes, ...] = ()
