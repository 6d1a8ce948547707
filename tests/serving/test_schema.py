"""R12 by schemathesis: requests made from the OpenAPI document, right ones and wrong ones.

The service is a real one on loopback; TIERWISE_HARDEN=full makes 20,000 requests of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from serving.keys import KEYS, add_key
from serving.openapi import build_openapi
from serving.policy import POLICY
from tests.serving.conftest import Shop
from tests.serving.test_harden import FULL, Service, tell

pytestmark = pytest.mark.slow
N_REQUESTS = 20_000 if FULL else 2_000
CONFIG = schemathesis.Config.from_dict(
    {
        "checks": {
            # Which features there are is the release's to say, so 422 may be the answer to what the
            # document takes; what a key may ask is the policy's, and test_guard.py holds it to that.
            "positive_data_acceptance": {"expected-statuses": ["2xx", 404, 422]},
            "negative_data_rejection": {"expected-statuses": ["4xx"]},
            "ignored_auth": {"enabled": False},
        }
    }
)
# Wrong keys are test_guard.py's: here they would only bring 401, and then 429 for everything.
OPEN = {part: told for part, told in build_openapi().items() if part != "security"}
SCHEMA = schemathesis.openapi.from_dict(OPEN, config=CONFIG)
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]


@pytest.fixture(scope="module")
def asked(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Any]]:
    """A running service, and a key of a role that may ask, by path."""
    service = Service(shop, tmp_path_factory.mktemp("schema"))
    at = datetime(2026, 1, 1, tzinfo=UTC)
    roles = {path: sorted(POLICY[path])[0] for path in POLICY}
    keys = {role: add_key(service.state / KEYS, "schema", role, at) for role in set(roles.values())}
    service.start()
    yield service, {path: keys[role] for path, role in roles.items()}
    service.stop()


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_r12_the_service_keeps_to_its_document(asked: tuple[Service, Any], mode: Any):
    service, keys = asked
    base, statuses = f"http://127.0.0.1:{service.port}", Counter[int]()
    session = requests.Session()
    strategies = [each.as_strategy(generation_mode=mode) for each in OPERATIONS]

    @seed(12)
    @settings(
        max_examples=N_REQUESTS // 2, deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=st.one_of(strategies))
    def ask(case: Any) -> None:
        headers = {"Authorization": f"Bearer {keys[case.operation.path]}"}
        answer = case.call(base_url=base, session=session, headers=headers)
        statuses[answer.status_code] += 1
        case.validate_response(answer, headers=headers)

    ask()
    tell("R12", mode, dict(statuses))
    assert sum(statuses.values()) >= N_REQUESTS // 3
