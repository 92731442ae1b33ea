"""The command line: the engine's verbs on a terminal.

Importing this brings typer and rich only; each command imports what it needs, so that ``kassa --help`` answers at once.
"""

from typing import Annotated

import typer

from kassa.cli import capabilities, demo, examination, health, migration, offers, paying, payments, settling, starting

BEGIN, CONFIGURATION, MONEY, OPERATION = "Begin", "Configuration", "Money", "Operation"

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


@app.callback()
def main(
    _version: Annotated[
        bool, typer.Option("--version", metavar="", callback=_show_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Payments through any provider, region by region.

    Exit codes: 0 done · 1 a mistake of yours or in the configuration · 2 a wrong command line · 3 declined, or the
    provider was not reached · 4 not finished: the shopper must act, or nobody knows yet.
    """


app.command("demo", rich_help_panel=BEGIN)(demo.demo)
app.command("init", rich_help_panel=BEGIN)(starting.init)
app.command("check", rich_help_panel=BEGIN)(examination.check)
app.command("doctor", rich_help_panel=BEGIN)(health.doctor)
app.command("providers", rich_help_panel=CONFIGURATION)(capabilities.list_providers)
app.command("regions", rich_help_panel=CONFIGURATION)(offers.list_regions)
app.command("explain", rich_help_panel=CONFIGURATION)(offers.explain)
app.command("pay", rich_help_panel=MONEY)(paying.pay)
app.command("payments", rich_help_panel=MONEY)(payments.show_payments)
app.command("orders", rich_help_panel=MONEY)(payments.show_orders)
app.command("capture", rich_help_panel=MONEY)(settling.capture)
app.command("refund", rich_help_panel=MONEY)(settling.refund)
app.command("cancel", rich_help_panel=MONEY)(settling.cancel)
app.command("migrate", rich_help_panel=OPERATION)(migration.migrate)
