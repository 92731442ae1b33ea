"""One plugin imported in a process of its own: ``python -m kassa.cli.plugin_probe GROUP NAME``.

Whatever the import does to this process, nobody else is hurt.  The last line on stdout is JSON: ``contract_version``, and
``sentence``, which is set where the plugin cannot be used.
"""

import json
import sys

from kassa import discovery, plugins
from kassa.errors import PluginUnusable
from kassa_sdk import EXTENSION_ENTRY_POINTS, PROVIDER_ENTRY_POINTS


def main(group: str, name: str) -> None:
    """Import it, examine it as far as that goes without options, and say how it went."""
    contract_version, sentence = None, None
    try:
        candidate, plugin = discovery.load(group, name)
        if group == PROVIDER_ENTRY_POINTS:
            plugins.examine_provider(plugin, candidate)
            contract_version = plugin.manifest.contract_version
        elif group == EXTENSION_ENTRY_POINTS:
            plugins.examine_extension(plugin, candidate)
        else:
            plugins.examine_cart_driver(plugin, candidate)
    except PluginUnusable as error:
        sentence = str(error)
    print()
    print(json.dumps({"contract_version": contract_version, "sentence": sentence}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
