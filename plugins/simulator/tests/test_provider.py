"""The provider fits the contract, its options are checked, and its secrets stay where they are."""

import logging
import weakref
from importlib.metadata import entry_points

import httpx
import pluggy
import pytest
from pydantic import ValidationError

from kassa_sdk import PROVIDER_ENTRY_POINTS, BadSignature, Manifest, Misconfigured, ProviderHooks
from kassa_simulator import SimulatorOptions, SimulatorProvider
from kassa_simulator.control import Fault, NoticeSelection, NoticeTwist

CANARIES = {"api_key": "canary-api-key", "webhook_secret": "canary-webhook-secret"}


def test_it_is_found_under_the_name_in_its_manifest():
    (entry,) = entry_points(group=PROVIDER_ENTRY_POINTS, name=SimulatorProvider.manifest.name)
    assert entry.load() is SimulatorProvider


def test_it_implements_all_that_its_manifest_declares_and_no_hook_that_is_misspelt(shop):
    manager = pluggy.PluginManager("kassa")
    manager.add_hookspecs(ProviderHooks)
    manager.register(shop.provider)
    manager.check_pending()
    implemented = {caller.name for caller in manager.get_hookcallers(shop.provider)}
    assert shop.provider.manifest.required_hooks() <= implemented


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"keys": "reference"},
        {"keys": "none"},
        {"settles_later": False},
        {"absence_proven_after_seconds": None},
        {"lists_payments": False},
        {"notices": "id_only"},
        {"notices": "none"},
    ],
)
def test_the_manifest_of_an_instance_follows_its_options(shop_of, simulator, options):
    manifest = shop_of(simulator, **options).provider.manifest
    assert Manifest.model_validate(manifest.model_dump()) == manifest
    assert manifest.settles_later == options.get("settles_later", True)
    assert manifest.lists_payments == options.get("lists_payments", True)
    assert manifest.notices == options.get("notices", "signed")
    assert (manifest.look_up.proves_absence_after is None) == ("absence_proven_after_seconds" in options)


@pytest.mark.parametrize("base_url", ["", "localhost:8000", "ftp://127.0.0.1", "http://"])
def test_an_address_that_cannot_work_is_refused_with_the_next_step(base_url):
    with pytest.raises(Misconfigured, match="base_url"):
        SimulatorProvider(SimulatorOptions(base_url=base_url, api_key="a", webhook_secret="b"))


@pytest.mark.parametrize("wrong", [{"api_key": ""}, {"webhook_secret": ""}, {"keys": "some"}, {"apikey": "misspelt"}])
def test_options_that_cannot_work_are_refused(wrong):
    with pytest.raises(ValidationError):
        SimulatorOptions.model_validate(
            {"base_url": "http://127.0.0.1:1", "api_key": "a", "webhook_secret": "b"} | wrong
        )


def test_connections_are_closed_when_the_provider_is_no_longer_used(simulator):
    provider = SimulatorProvider(simulator.options())
    close, gone = provider.close, weakref.ref(provider)
    del provider
    assert gone() is None
    assert not close.alive


@pytest.mark.parametrize("key", ["wrong", "simulator-api-key2", "Simulator-api-key"])
def test_the_api_and_its_control_want_the_api_key(simulator, key):
    with httpx.Client(base_url=simulator.url, headers={"authorization": f"Bearer {key}"}, trust_env=False) as client:
        for path in ("/books", "/payments?our_reference=a", "/control/faults"):
            assert client.get(path).status_code == 401


def test_the_server_listens_on_this_machine_only(simulator):
    assert simulator.url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("path", ["/", "/control/nothing", "/payments/simpay_1/nothing", "/payments/../books"])
def test_an_address_that_leads_nowhere_is_not_found(simulator, path):
    headers = {"authorization": "Bearer simulator-api-key"}
    with httpx.Client(base_url=simulator.url, headers=headers, trust_env=False) as client:
        assert client.post(path, json={}).status_code == 404


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"[" * 100_000, b'{"fault":"act_late","seconds":NaN}'])
def test_a_body_that_is_no_json_object_is_refused(simulator, body):
    headers = {"authorization": "Bearer simulator-api-key"}
    with httpx.Client(base_url=simulator.url, headers=headers, trust_env=False) as client:
        assert client.post("/control/faults", content=body).status_code in (400, 422)


def test_secrets_are_in_no_outcome_log_error_book_or_representation(own_simulator, shop_of, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    simulator = own_simulator(**CANARIES)
    shop = shop_of(simulator, timeout_seconds=0.5)
    seen = [shop.authorize(shop.created(scenario)) for scenario in ("approve", "challenge", "decline", "instructions")]
    for fault in Fault:
        simulator.control.add_fault(fault)
        seen.append(shop.initiate())
        simulator.control.clear_faults()
    with pytest.raises(BadSignature) as error:
        notice = simulator.control.notices(NoticeSelection(twist=NoticeTwist.FORGED))[0]
        raw = {"body": notice["body"].encode(), "headers": notice["headers"], "received_at": "2026-11-22T00:00:00Z"}
        shop.provider.read_notice(_raw_notice(raw))
    seen += [error.value, error.getrepr(showlocals=False), simulator.options(), simulator.settings, shop.provider]
    seen += [
        simulator.books.read_text(),
        caplog.text,
        *capfd.readouterr(),
        *simulator.settings.command(simulator.books, 1),
    ]
    simulator.kill()
    seen.append(shop.initiate())
    text = "\n".join(f"{one!r} {one}" for one in seen)
    assert [secret for secret in CANARIES.values() if secret in text] == []


def test_the_wrong_api_key_is_turned_away_and_not_told(shop_of, simulator):
    outcome = shop_of(simulator, api_key=CANARIES["api_key"]).initiate()
    assert outcome.outcome == "not_sent" and CANARIES["api_key"] not in repr(outcome)


def _raw_notice(fields):
    from kassa_sdk import RawNotice

    return RawNotice.model_validate(fields)
