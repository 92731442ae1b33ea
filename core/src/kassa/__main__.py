"""``python -m kassa``: the command line, where the script is not on the path."""

from kassa.cli import app

app()
