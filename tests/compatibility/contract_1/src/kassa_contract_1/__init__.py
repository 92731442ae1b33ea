"""kassa provider for Contract 1."""

from kassa_contract_1.provider import Contract1Options, Contract1Provider

__all__ = ["Contract1Options", "Contract1Provider"]
