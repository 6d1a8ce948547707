"""Who may ask what: one table of routes and roles. What is not in it, nobody may ask.

A role is a name in this table and on a key; another role is another row of `ROLES` and its place
in `POLICY`. The health checks are for whoever runs the process and say nothing of anybody.
"""

from __future__ import annotations

ROLES: dict[str, str] = {
    "application": "asks for the tiers of customers",
    "engineer": "asks with feature vectors, reads the scheme and the metrics; no look-up by id",
    "ops": "reads the metrics and the scheme",
}
"""Every role with what it is for."""

POLICY: dict[str, frozenset[str]] = {
    "/v1/customers/{customer_id}/tier": frozenset({"application"}),
    "/v1/tier": frozenset({"application", "engineer"}),
    "/v1/tiers": frozenset({"application"}),
    "/v1/scheme": frozenset({"application", "engineer", "ops"}),
    "/openapi.json": frozenset({"application", "engineer", "ops"}),
    "/metrics": frozenset({"engineer", "ops"}),
}
"""The roles that may ask a route, by its template."""

HEALTH_CHECKS = frozenset({"/livez", "/readyz", "/healthz"})
"""Paths that need no key: BentoML's checks of a living and of a ready process."""
