"""The hooks are one specification: pluggy refuses what does not fit it, before the first payment."""

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

import pluggy
import pytest

import kassa_sdk
from kassa_sdk import NotSent, ProviderHooks, RawNotice, Record, hookimpl
from kassa_sdk.hooks import PLUGGY_PROJECT

HOOKS: dict[str, Callable[..., Any]] = {
    name: hook for name, hook in vars(ProviderHooks).items() if inspect.isfunction(hook) and not name.startswith("_")
}


@pytest.fixture
def manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager(PLUGGY_PROJECT)
    manager.add_hookspecs(ProviderHooks)
    return manager


def test_the_hooks_are_those_of_the_contract() -> None:
    assert set(HOOKS) == {
        "initiate",
        "authorize",
        "action",
        "update",
        "capture",
        "refund",
        "cancel",
        "look_up",
        "list_payments",
        "read_notice",
        "create_account_holder",
        "save_payment_method",
        "list_payment_methods",
        "delete_payment_method",
    }


def test_a_misspelt_hook_is_refused_by_name(manager: pluggy.PluginManager) -> None:
    class Misspelt:
        @hookimpl
        def authorise(self, request: object) -> None: ...

    manager.register(Misspelt())
    with pytest.raises(pluggy.PluginValidationError, match="unknown hook 'authorise'"):
        manager.check_pending()


@pytest.mark.parametrize("hook", HOOKS)
def test_an_argument_that_the_hook_does_not_have_is_refused_by_name(manager: pluggy.PluginManager, hook: str) -> None:
    def misspelt(self: object, requst: object) -> None: ...

    misspelt.__name__ = hook
    with pytest.raises(pluggy.PluginValidationError, match="requst"):
        manager.register(type("Misspelt", (), {hook: hookimpl(misspelt)})())


@pytest.mark.parametrize("hook", HOOKS)
def test_a_provider_answers_alone_and_its_answer_is_not_a_list(manager: pluggy.PluginManager, hook: str) -> None:
    answer = NotSent(cause="nothing was sent")

    class Provider:
        pass

    (argument,) = [name for name in inspect.signature(HOOKS[hook]).parameters if name != "self"]
    namespace: dict[str, Any] = {"answer": answer}
    exec(f"def {hook}(self, {argument}): return answer", namespace)
    setattr(Provider, hook, hookimpl(namespace[hook]))
    manager.register(Provider())
    manager.check_pending()
    assert getattr(manager.hook, hook)(**{argument: None}) is answer


@pytest.mark.parametrize("hook", HOOKS.values(), ids=HOOKS)
def test_a_hook_takes_one_frozen_record_and_says_what_it_returns(hook: Callable[..., Any]) -> None:
    hints = get_type_hints(hook)
    assert "return" in hints
    (request,) = [hint for name, hint in hints.items() if name != "return"]
    assert issubclass(request, Record)
    assert getattr(kassa_sdk, request.__name__) is request


@pytest.mark.parametrize("hook", HOOKS.values(), ids=HOOKS)
def test_a_hook_promises_when_it_is_called_and_what_it_does(hook: Callable[..., Any]) -> None:
    assert len(inspect.getdoc(hook) or "") > 20


def test_only_the_notice_hook_gets_something_else_than_a_request() -> None:
    arguments = {name: list(inspect.signature(hook).parameters)[1:] for name, hook in HOOKS.items()}
    assert arguments.pop("read_notice") == ["raw"]
    assert get_type_hints(HOOKS["read_notice"])["raw"] is RawNotice
    assert all(names == ["request"] for names in arguments.values())
