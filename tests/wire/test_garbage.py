"""Whatever is sent to the hooks: an answer that is no server error, and nothing is kept."""

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import Shop

HEADERS = st.dictionaries(
    st.sampled_from(
        ["content-type", "x-simulator-signature", "simulator-signature", "stripe-signature", "x-request-id"]
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200).map(str.strip),
    max_size=3,
)
NAMES = st.sampled_from(
    ["simulator_cards", "pp_simulator_cards", "pp_system_default", "nobody", "%00", "..%2F", "a" * 300]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=2000) | st.text(max_size=500).map(str.encode), headers=HEADERS, name=NAMES)
def test_garbage_at_the_hooks_is_refused_and_not_kept(
    shop: Shop, body: bytes, headers: dict[str, str], name: str
) -> None:
    with httpx.Client(base_url=shop.url, trust_env=False) as client:
        answer = client.post(f"/hooks/payment/{name}", content=body, headers=headers)
    assert answer.status_code in (401, 404), (answer.status_code, answer.text)
    assert shop.engine.list_notices() == ()
