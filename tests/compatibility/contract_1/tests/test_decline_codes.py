"""The table of decline codes is complete."""

from kassa_contract_1.answers import DECLINE_CODES

DOCUMENTED = """
account_blocked authentication_failed capture_rejected card_declined debit_rejected expired_card insufficient_funds
refund_rejected stolen_card
"""
"""Every code in the documentation of the server, copied from there."""


def test_every_documented_decline_code_has_its_sentence() -> None:
    DECLINE_CODES.compare(DOCUMENTED.split())
