"""The command line: the engine's verbs on a terminal.

Importing this brings typer and rich only; each command imports what it needs, so that ``kassa --help`` answers at once.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import typer

from kassa.cli import (
    capabilities,
    cases,
    deliveries,
    demo,
    doubts,
    exam,
    examination,
    health,
    keys,
    migration,
    new_provider,
    notices,
    offers,
    paying,
    payments,
    reconciling,
    reloading,
    serving,
    settling,
    starting,
    switching,
)

Command = Callable[..., None]


@dataclass(frozen=True)
class Group:
    """Several commands under one name."""

    purpose: str
    commands: dict[str, Command]


COMMANDS: dict[str, dict[str, Command | Group]] = {
    "Begin": {
        "demo": demo.demo,
        "serve": serving.serve,
        "init": starting.init,
        "check": examination.check,
        "doctor": health.doctor,
    },
    "Who pays where": {
        "providers": capabilities.list_providers,
        "regions": offers.list_regions,
        "explain": offers.explain,
        "switch": switching.switch,
        "switches": switching.list_switches,
    },
    "Who may ask": {
        "keys": Group(
            "Create, list and revoke the keys that the HTTP server opens to.",
            {"create": keys.create, "list": keys.list_keys, "revoke": keys.revoke},
        ),
    },
    "Money": {
        "pay": paying.pay,
        "payments": payments.show_payments,
        "orders": payments.show_orders,
        "capture": settling.capture,
        "refund": settling.refund,
        "cancel": settling.cancel,
    },
    "Operation": {
        "doubts": doubts.list_doubts,
        "resolve": doubts.resolve,
        "cases": cases.list_cases,
        "close": cases.close,
        "notices": notices.list_notices,
        "replay": notices.replay,
        "reconcile": reconciling.reconcile,
        "reconciliations": reconciling.list_reconciliations,
        "worker": doubts.worker,
        "deliveries": deliveries.list_deliveries,
        "redeliver": deliveries.redeliver,
        "reload": reloading.reload,
        "migrate": migration.migrate,
    },
    "Write a provider": {
        "new-provider": new_provider.new_provider,
        "exam": exam.exam,
    },
}
"""Every command, under the heading that the help gives it; several in one have names of their own."""


def under(heading: str) -> list[tuple[str, ...]]:
    """The commands under a heading, each by the words that call it: ``("keys", "create")``."""
    words: list[tuple[str, ...]] = []
    for name, each in COMMANDS[heading].items():
        words += [(name, inner) for inner in each.commands] if isinstance(each, Group) else [(name,)]
    return words


app = typer.Typer(
    name="kassa",
    no_args_is_help=True,
    # A traceback with the values of its variables would show secrets.
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"kassa {version('kassa')}")
        raise typer.Exit


def main(
    _version: Annotated[
        bool, typer.Option("--version", metavar="", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Payments through any provider, region by region.

    Exit codes: 0 done; 1 a mistake of yours, or in the configuration; 2 a wrong command line; 3 declined, or the provider
    was not reached; 4 not finished: the shopper must act, or nobody knows yet.
    """


def _in_whole_lines(function: Callable[..., None]) -> str:
    """The docstring with one line a paragraph: the terminal breaks lines where it is narrow, and nowhere else."""
    paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _add_group(name: str, group: Group, heading: str) -> None:
    commands = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help=group.purpose)
    for each, command in group.commands.items():
        commands.command(each, help=_in_whole_lines(command))(command)
    app.add_typer(commands, name=name, rich_help_panel=heading)


app.callback(help=_in_whole_lines(main))(main)
for _heading, _commands in COMMANDS.items():
    for _name, _command in _commands.items():
        if isinstance(_command, Group):
            _add_group(_name, _command, _heading)
        else:
            app.command(_name, help=_in_whole_lines(_command), rich_help_panel=_heading)(_command)
