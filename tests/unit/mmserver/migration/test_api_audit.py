"""The audit trail has one route, and it is documented."""

from typing import Any

from mmserver.migration.api_audit import audit_router


def test_the_trail_is_asked_by_user_system_binding_and_time() -> None:
    nothing: Any = None
    (route,) = audit_router(nothing).routes
    assert route.path == "/csc-x/v1/audit"  # type: ignore[attr-defined]
    names = {parameter.name for parameter in route.dependant.query_params}  # type: ignore[attr-defined]
    assert {"binding", "mc_service_id", "other_mc_system", "since", "until", "after"} <= names
