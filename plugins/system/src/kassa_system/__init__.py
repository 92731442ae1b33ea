"""kassa provider for cash, invoice and manual payments: it always authorizes, the merchant settles by hand."""

from kassa_system.provider import SystemOptions, SystemProvider

__all__ = ["SystemOptions", "SystemProvider"]
