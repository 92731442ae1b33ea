"""What the server makes of our keys, in each of its modes."""

import pytest

from kassa_sdk import Declined, Found, Idempotency, NotFound, Succeeded, Unknown


def test_a_native_key_replays_the_first_answer_though_the_payment_went_on(shop):
    payment_id, key = shop.authorized(), shop.key()
    first = shop.capture(payment_id, 4_000, key)
    shop.capture(payment_id, 6_000)
    shop.refund(payment_id, 10_000)
    assert shop.capture(payment_id, 4_000, key) == first


@pytest.mark.parametrize("scenario", ["decline", "redirect", "pending", "immediate_sale"])
def test_a_native_key_replays_every_kind_of_answer(shop, simulator, scenario):
    payment_id, key = shop.created(scenario), shop.key()
    assert shop.authorize(payment_id, key=key) == shop.authorize(payment_id, key=key)
    assert len(simulator.control.effects(attempt_key=key)) == 1


def test_a_native_key_with_another_request_has_no_effect_and_proves_nothing(shop, simulator):
    payment_id, key = shop.authorized(), shop.key()
    shop.capture(payment_id, 4_000, key)
    assert isinstance(shop.capture(payment_id, 4_001, key), Unknown)
    assert len(simulator.control.effects(attempt_key=key)) == 1


def test_a_refused_request_leaves_its_key_free(shop):
    payment_id, key = shop.created(), shop.key()
    assert isinstance(shop.capture(payment_id, 4_000, key), Declined)
    shop.authorize(payment_id)
    assert isinstance(shop.capture(payment_id, 4_000, key), Succeeded)


def test_native_keys_survive_a_restart(own_simulator, shop_of):
    simulator = own_simulator()
    shop = shop_of(simulator)
    payment_id, key = shop.authorized(), shop.key()
    first = shop.capture(payment_id, 4_000, key)
    simulator.restart()
    assert shop.capture(payment_id, 4_000, key) == first


def test_after_its_window_a_native_key_is_forgotten(own_simulator, shop_of):
    simulator = own_simulator(key_window_seconds=3_600)
    shop = shop_of(simulator)
    payment_id, key = shop.authorized(), shop.key()
    shop.capture(payment_id, 4_000, key)
    simulator.control.advance_clock(seconds=3_500)
    shop.capture(payment_id, 4_000, key)
    assert len(simulator.control.effects("captured")) == 1
    simulator.control.advance_clock(seconds=200)
    shop.capture(payment_id, 4_000, key)
    assert len(simulator.control.effects("captured")) == 2


def test_keys_can_be_forgotten_at_once(own_simulator, shop_of):
    simulator = own_simulator()
    shop = shop_of(simulator)
    payment_id, key = shop.authorized(), shop.key()
    shop.capture(payment_id, 4_000, key)
    simulator.control.forget_keys()
    simulator.restart()
    shop.capture(payment_id, 4_000, key)
    assert len(simulator.control.effects("captured", attempt_key=key)) == 2


@pytest.mark.parametrize("keys", ["reference", "none"])
@pytest.mark.parametrize("verb", ["initiate", "authorize", "capture", "refund"])
def test_without_native_keys_a_repetition_is_executed_again(own_simulator, shop_of, keys, verb):
    simulator = own_simulator(keys=keys)
    shop = shop_of(simulator)
    key = shop.key()
    match verb:
        case "initiate":
            [shop.initiate(key=key) for _ in range(2)]
        case "authorize":
            payment_id = shop.created()
            [shop.authorize(payment_id, key=key) for _ in range(2)]
        case "capture" | "refund":
            payment_id = shop.captured() if verb == "refund" else shop.authorized()
            [getattr(shop, verb)(payment_id, 3_000, key) for _ in range(2)]
    assert len(simulator.control.effects(attempt_key=key)) == 2


def test_a_repeated_authorization_without_native_keys_is_seen_as_twice_the_amount(own_simulator, shop_of):
    shop = shop_of(own_simulator(keys="none"))
    payment_id = shop.created()
    shop.authorize(payment_id)
    assert shop.authorize(payment_id).facts.authorized.minor == 20_000


def test_a_stored_key_is_found_by_a_look_up(own_simulator, shop_of):
    shop = shop_of(own_simulator(keys="reference"))
    payment_id, key = shop.authorized(), shop.key()
    shop.capture(payment_id, 3_000, key)
    outcome = shop.look_up(key=key)
    assert isinstance(outcome, Found)
    assert [movement.attempt_key for movement in outcome.facts.captures] == [key]


def test_without_keys_only_references_find_and_no_key_is_echoed(own_simulator, shop_of):
    shop = shop_of(own_simulator(keys="none"))
    payment_id, key = shop.authorized(), shop.key()
    shop.capture(payment_id, 3_000, key)
    assert shop.look_up(key=key) == NotFound()
    outcome = shop.look_up(our_reference=shop.references[payment_id])
    assert [movement.attempt_key for movement in outcome.facts.captures] == [None]


def test_two_payments_under_one_reference_are_for_a_person_to_look_at(own_simulator, shop_of):
    shop = shop_of(own_simulator(keys="reference"))
    key = shop.key()
    shop.initiate(key=key)
    shop.initiate(key=key)
    outcome = shop.look_up(key=key)
    assert isinstance(outcome, Unknown) and outcome.cause.startswith("2 payments")


@pytest.mark.parametrize("keys", ["native", "reference", "none"])
def test_the_manifest_of_an_instance_says_what_its_server_does(simulator, shop_of, keys):
    manifest = shop_of(simulator, keys=keys).provider.manifest
    assert manifest.idempotency.keys == keys
    assert ("attempt_key" in manifest.look_up.by) == (keys != "none")
    assert Idempotency.model_validate(manifest.idempotency.model_dump()) == manifest.idempotency
