"""Errors: somebody's mistake, to be mended by a person.

What happens to a payment is never an error; it is an outcome (see ``outcomes.py``).

    KassaSdkError
    ├── MoneyError                an amount that is not money
    │   ├── UnknownCurrency       not an ISO 4217 code that can be paid with
    │   ├── ExcessPrecision       more digits than the currency (or the provider) has
    │   ├── AmountOutOfRange      does not fit into 64 bits
    │   └── CurrencyMismatch      arithmetic between two currencies
    └── ProviderError             raised by a provider
        ├── Unsupported           asked for what the manifest says "no" to      (the caller's mistake)
        ├── Misconfigured         options that cannot work                      (the integrator's mistake)
        └── BadSignature          a notice that cannot be verified              (the sender's mistake)
"""


class KassaSdkError(Exception):
    """Root of all errors of the SDK."""


class MoneyError(KassaSdkError, ValueError):
    """An amount that is not money."""


class UnknownCurrency(MoneyError):
    """Not an ISO 4217 code that can be paid with."""


class ExcessPrecision(MoneyError):
    """More digits than the currency has; nobody rounds."""


class AmountOutOfRange(MoneyError):
    """An amount that does not fit into a signed 64-bit integer of minor units."""


class CurrencyMismatch(MoneyError):
    """Arithmetic or comparison between two currencies."""


class ProviderError(KassaSdkError):
    """Root of the errors that a provider raises."""


class Unsupported(ProviderError):
    """The provider was asked for something that its manifest declares as *no*.

    Raise it before anything is sent: the engine takes it as proof that nothing happened.
    """


class Misconfigured(ProviderError):
    """The options of this provider cannot work; say which one and what to put there.

    Raise it from the constructor. During a call it counts as "nobody can tell", as every exception does.
    """


class BadSignature(ProviderError):
    """A notice whose raw bytes do not carry a valid signature.  Nothing of it may be used."""
