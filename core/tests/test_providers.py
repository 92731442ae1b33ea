"""Configured providers: examined at the start, contained in every call."""

import logging
import threading
from contextvars import ContextVar
from datetime import UTC, datetime

import pytest

from kassa import config, providers
from kassa.errors import ConfigurationError, InternalError
from kassa.providers import ConfiguredProvider
from kassa.store.database import Database
from kassa_sdk import Declined, InitiateRequest, ListPaymentsRequest, Money, NotSent, Outcome, Succeeded, Unknown

from .conftest import PROVIDER, Install

REQUEST = InitiateRequest(attempt_key="key-1", our_reference="payses_1", amount=Money(100, "EUR"))


def load(toml: str = '[providers.shop]\nplugin = "acme"\n') -> ConfiguredProvider:
    """The one provider that this configuration has."""
    loaded = providers.load(config.parse(toml))
    return next(iter(loaded.values()))


def refusals(toml: str = '[providers.shop]\nplugin = "acme"\n') -> list[str]:
    """The sentences with which a configuration is refused."""
    with pytest.raises(ConfigurationError) as caught:
        load(toml)
    return [str(mistake) for mistake in caught.value.mistakes]


def test_a_provider_has_the_wire_id_of_medusa(install: Install) -> None:
    install("kassa-acme")
    assert load().id == "pp_acme_shop"


def test_one_plugin_is_configured_several_times_with_different_options(install: Install) -> None:
    install("kassa-acme")
    toml = '[providers.a]\nplugin = "acme"\n[providers.b]\nplugin = "acme"\noptions = { greeting = "servus" }\n'
    loaded = providers.load(config.parse(toml))
    greetings = {id: loaded[id].call("initiate", REQUEST) for id in loaded}
    assert {id: answer.data for id, answer in greetings.items() if isinstance(answer, Succeeded)} == {
        "pp_acme_a": {"greeting": "hello"},
        "pp_acme_b": {"greeting": "servus"},
    }


@pytest.mark.parametrize(
    ("written", "instead", "expected"),
    [
        (
            "contract_version=1",
            "contract_version=99",
            "was written for version 99 of the provider contract",
        ),
        ("def initiate", "def inititate", "inititate"),
        ("def authorize(self, request)", "def authorize(self, requets)", "requets"),
        ("    @hookimpl\n    def authorize", "    def authorize", "is a method not marked with @hookimpl?"),
        (
            'idempotency=Idempotency(keys="none")',
            'idempotency=Idempotency(keys="none"), cancel=True',
            "promises: cancel",
        ),
        ("manifest = Manifest(", "menifest = Manifest(", "has no manifest"),
        ("    Options = AcmeOptions", "    Options = dict", "has no pydantic model Options"),
        ('ConfigDict(extra="forbid")', "ConfigDict()", "must refuse unknown keys"),
        ("self.options = options", "raise Misconfigured('the key must begin with k_')", "refuses its options"),
        ("self.options = options", "raise SystemExit('bye')", "refuses its options: SystemExit: bye"),
        ("self.options = options", "raise GeneratorExit", "refuses its options: GeneratorExit"),
        ("self.options = options", "self.manifest = None", "has no manifest"),
        (
            "self.options = options",
            "self.manifest = self.manifest.model_copy(update={'contract_version': 99})",
            "was written for version 99 of the provider contract",
        ),
        (
            "    greeting: str =",
            "    @field_validator('checked')\n    def f(cls, value): raise KeyError('x')\n"
            "    checked: int = Field(default=1, validate_default=True)\n    greeting: str =",
            "fails at validating its options: KeyError: 'x'",
        ),
    ],
)
def test_a_plugin_that_breaks_the_contract_is_refused_at_the_start_and_names_its_distribution(
    install: Install, written: str, instead: str, expected: str
) -> None:
    assert written in PROVIDER
    install("kassa-acme", PROVIDER.replace(written, instead))
    (sentence,) = refusals()
    assert sentence.startswith("kassa.toml:2: providers.shop.plugin: kassa-acme 1.2.3")
    assert expected in sentence


def test_an_unknown_option_is_told_with_its_line(install: Install) -> None:
    install("kassa-acme")
    toml = '[providers.shop]\nplugin = "acme"\n\n[providers.shop.options]\ngreeting = "x"\ngreetign = "y"\n'
    assert refusals(toml) == ["kassa.toml:6: providers.shop.options.greetign: unknown key; remove it"]


def test_a_secret_in_the_file_is_refused(install: Install) -> None:
    install("kassa-acme")
    (sentence,) = refusals('[providers.shop]\nplugin = "acme"\noptions = { key = "sk_live_1" }\n')
    assert sentence == (
        "kassa.toml:3: providers.shop.options.key: is a secret; write it as env:NAME or file:PATH, "
        "so that it does not stand in this file"
    )


def test_a_secret_that_is_not_there_is_told_with_its_name(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("kassa-acme")
    monkeypatch.delenv("ACME_KEY", raising=False)
    (sentence,) = refusals('[providers.shop]\nplugin = "acme"\noptions = { key = "env:ACME_KEY" }\n')
    assert sentence == (
        "kassa.toml:3: providers.shop.options.key: the environment variable ACME_KEY is not set; export it"
    )


def test_every_broken_provider_is_told_at_once(install: Install) -> None:
    install("kassa-acme", PROVIDER.replace("def initiate", "def inititate"))
    toml = '[providers.a]\nplugin = "acme"\n[providers.b]\nplugin = "zzz"\n[providers.c]\nplugin = "acme"\n'
    assert len(refusals(toml)) == 3


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("raise ValueError('boom')", Unknown(cause="ValueError: boom")),
        ("raise Unsupported('no such thing')", NotSent(cause="not supported: no such thing")),
        ("return None", Unknown(cause="kassa-acme 1.2.3 answered initiate with NoneType, which is no outcome")),
        ("return True", Unknown(cause="kassa-acme 1.2.3 answered initiate with bool, which is no outcome")),
        ("return Declined(code='c', reason='r')", Declined(code="c", reason="r")),
        ("raise SystemExit('bye')", Unknown(cause="SystemExit: bye")),
        ("raise GeneratorExit", Unknown(cause="GeneratorExit: ")),
        ("return Succeeded(facts=None)", None),
    ],
)
def test_every_call_ends_in_an_outcome(install: Install, body: str, expected: object) -> None:
    first_line = (
        'return Succeeded(facts=PaymentFacts(provider_reference="acme-1"), data={"greeting": self.options.greeting})'
    )
    assert first_line in PROVIDER
    install("kassa-acme", PROVIDER.replace(first_line, body))
    outcome = load().call("initiate", REQUEST)
    assert outcome == expected or (expected is None and isinstance(outcome, Unknown))


def test_a_secret_in_an_exception_does_not_get_out(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_KEY", "sk_live_canary")
    body = "raise ValueError('cannot use ' + self.options.key.get_secret_value())"
    source = PROVIDER.replace('return Declined(code="no", reason="Acme says no to everybody")', body)
    install("kassa-acme", source)
    provider = load('[providers.shop]\nplugin = "acme"\noptions = { key = "env:ACME_KEY" }\n')
    assert provider.call("authorize", REQUEST) == Unknown(cause="ValueError: cannot use ***")


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("Declined(code=key, reason='not with ' + key)", Declined(code="***", reason="not with ***")),
        ("NotSent(cause='not with ' + key)", NotSent(cause="not with ***")),
        ("Unknown(cause='not with ' + key)", Unknown(cause="not with ***")),
        ("Unknown(cause='4242 4242 4242 4242 is stolen')", Unknown(cause="*** is stolen")),
    ],
)
def test_a_secret_in_an_outcome_does_not_get_out(
    install: Install, monkeypatch: pytest.MonkeyPatch, answer: str, outcome: object
) -> None:
    monkeypatch.setenv("ACME_KEY", "sk_live_canary")
    body = f"key = self.options.key.get_secret_value(); return {answer}"
    install("kassa-acme", PROVIDER.replace('return Declined(code="no", reason="Acme says no to everybody")', body))
    provider = load('[providers.shop]\nplugin = "acme"\noptions = { key = "env:ACME_KEY" }\n')
    assert provider.call("authorize", REQUEST) == outcome


def test_a_secret_that_a_validator_repeats_does_not_get_out(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_KEY", "sk_live_canary")
    validator = (
        "    @field_validator('key', mode='before')\n    def f(cls, value): raise ValueError(value + ' is too short')\n"
    )
    install("kassa-acme", PROVIDER.replace("    greeting: str =", validator + "    greeting: str ="))
    (sentence,) = refusals('[providers.shop]\nplugin = "acme"\noptions = { key = "env:ACME_KEY" }\n')
    assert sentence == "kassa.toml:3: providers.shop.options.key: Value error, *** is too short"


@pytest.mark.parametrize("hook", ["cancel", "look_up"])
def test_a_hook_that_is_not_implemented_is_not_sent(install: Install, hook: str) -> None:
    install("kassa-acme")
    assert load().call(hook, REQUEST) == NotSent(cause=f"kassa-acme 1.2.3 does not implement {hook}")


@pytest.mark.parametrize("answer", ["Declined(code='no', reason='no')", "()", "None"])
def test_a_list_that_is_no_page_is_unknown_and_never_an_empty_list(install: Install, answer: str) -> None:
    hook = f"    @hookimpl\n    def list_payments(self, request): return {answer}\n"
    install(
        "kassa-acme", PROVIDER.replace("    @hookimpl\n    def authorize", hook + "    @hookimpl\n    def authorize")
    )
    now = datetime.now(UTC)
    outcome = load().list_payments(ListPaymentsRequest(since=now, until=now))
    assert isinstance(outcome, Unknown)
    assert "answered list_payments with" in outcome.cause


def test_whoever_asks_the_shopper_to_act_implements_the_hook_that_hears_of_it(install: Install) -> None:
    answer = "return ActionRequired(action=Redirect(url='https://acme.example'), provider_reference='acme-1')"
    install("kassa-acme", PROVIDER.replace('return Declined(code="no", reason="Acme says no to everybody")', answer))
    assert load().call("authorize", REQUEST) == Unknown(
        cause="kassa-acme 1.2.3 answered authorize with ActionRequired, but does not implement the hook action"
    )


def test_an_interrupt_at_the_keyboard_ends_the_host(install: Install) -> None:
    answer = 'return Declined(code="no", reason="Acme says no to everybody")'
    install("kassa-acme", PROVIDER.replace(answer, "raise KeyboardInterrupt"))
    with pytest.raises(KeyboardInterrupt):
        load().call("authorize", REQUEST)


CONTEXT: ContextVar[str] = ContextVar("test_context", default="none")
DECLINES = 'return Declined(code="no", reason="Acme says no to everybody")'
SOON = 30.0


def test_what_is_in_the_caller_s_context_is_there_in_the_hook(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kassa_sdk.test_context", CONTEXT, raising=False)
    answer = "import kassa_sdk; return Declined(code='no', reason=kassa_sdk.test_context.get())"
    install("kassa-acme", PROVIDER.replace(DECLINES, answer))
    token = CONTEXT.set("a trace")
    assert load().call("authorize", REQUEST) == Declined(code="no", reason="a trace")
    CONTEXT.reset(token)


class Gate:
    """Holds the hook ``authorize`` of a provider back until it is opened."""

    def __init__(self, install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened = threading.Event()
        monkeypatch.setattr("kassa_sdk.test_gate", self.opened, raising=False)
        install("kassa-acme", PROVIDER.replace(DECLINES, f"import kassa_sdk; kassa_sdk.test_gate.wait(30); {DECLINES}"))


@pytest.fixture
def gate(install: Install, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """A provider that hangs at ``authorize``."""
    return Gate(install, monkeypatch)


def settings(**written: float) -> str:
    """The provider's block with these settings."""
    return "\n".join(['[providers.shop]\nplugin = "acme"', *(f"{key} = {value}" for key, value in written.items())])


def test_a_call_that_does_not_answer_in_time_is_unknown_and_its_answer_is_taken_when_it_comes(gate: Gate) -> None:
    provider = load(settings(timeout_seconds=0.05))
    heard, came = [], threading.Event()

    def late(outcome: Outcome) -> None:
        heard.append((outcome, threading.current_thread().name))
        came.set()

    cause = "pp_acme_shop did not answer authorize within 0.05 seconds"
    assert provider.call("authorize", REQUEST, late) == Unknown(cause=cause)
    assert (heard, provider.health.calls_under_way) == ([], 1)
    gate.opened.set()
    assert came.wait(SOON)
    assert heard == [(Declined(code="no", reason="Acme says no to everybody"), "pp_acme_shop 1")]


def test_an_answer_that_comes_after_the_close_is_dropped(gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    provider = load(settings(timeout_seconds=0.05))
    heard: list[Outcome] = []
    provider.call("authorize", REQUEST, heard.append)
    provider.close()
    with caplog.at_level(logging.WARNING, "kassa.providers"):
        gate.opened.set()
        while provider.health.calls_under_way:
            pass
    assert heard == []
    assert caplog.messages[-1] == (
        "this answer of pp_acme_shop comes after the close and is dropped; recovery asks again"
    )


def test_an_answer_that_cannot_be_taken_is_logged_and_harms_nobody(
    gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    provider = load(settings(timeout_seconds=0.05))

    def late(_outcome: Outcome) -> None:
        raise ValueError

    provider.call("authorize", REQUEST, late)
    gate.opened.set()
    while provider.health.calls_under_way:
        pass
    assert caplog.messages[-1] == "this answer of pp_acme_shop was not merged (ValueError); recovery asks again"
    assert isinstance(provider.call("initiate", REQUEST), Succeeded)


def test_when_all_its_calls_are_under_way_the_next_one_is_not_sent(gate: Gate) -> None:
    provider = load(settings(timeout_seconds=0.05, max_concurrent_calls=1, wait_for_place_seconds=0.01))
    provider.call("authorize", REQUEST)
    cause = "pp_acme_shop is busy: 1 calls to it are under way, its most at once"
    assert provider.call("initiate", REQUEST) == NotSent(cause=cause)
    gate.opened.set()


def test_one_that_hangs_takes_no_place_from_another_account_of_the_same_plugin(gate: Gate) -> None:
    one = settings(timeout_seconds=0.05, max_concurrent_calls=1, wait_for_place_seconds=0)
    loaded = providers.load(config.parse(f"{one}\n{one.replace('shop', 'other')}"))
    loaded["pp_acme_shop"].call("authorize", REQUEST)
    assert isinstance(loaded["pp_acme_other"].call("initiate", REQUEST), Succeeded)
    gate.opened.set()


BROKEN = PROVIDER.replace(DECLINES, "raise ValueError('boom')")


def test_after_failures_in_a_row_the_provider_is_left_alone_and_the_call_is_not_sent(install: Install) -> None:
    install("kassa-acme", BROKEN)
    provider = load(settings(circuit_failures=2))
    assert [type(provider.call("authorize", REQUEST)) for _ in range(3)] == [Unknown, Unknown, NotSent]
    refused = provider.call("initiate", REQUEST)
    assert isinstance(refused, NotSent)
    assert refused.cause.startswith("the circuit of pp_acme_shop is open since ")
    assert provider.health.circuit_open_since is not None


@pytest.mark.parametrize("answer", [DECLINES, "raise Unsupported('not in parts')"])
def test_a_provider_that_says_no_is_not_left_alone(install: Install, answer: str) -> None:
    install("kassa-acme", PROVIDER.replace(DECLINES, answer))
    provider = load(settings(circuit_failures=1))
    first, second = (provider.call("authorize", REQUEST) for _ in range(2))
    assert first == second
    assert provider.health.circuit_open_since is None


def test_a_provider_is_never_called_inside_a_transaction(install: Install, database_url: str) -> None:
    install("kassa-acme")
    provider = load()
    database = Database(database_url)
    with pytest.raises(InternalError, match="inside a database transaction"):
        database.transact(lambda _connection: provider.call("initiate", REQUEST))
    database.dispose()
