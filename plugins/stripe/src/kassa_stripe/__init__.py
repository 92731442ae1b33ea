"""kassa provider for Stripe.

Start at ``provider.py``; what this provider can do is declared in ``manifest.py``.
"""

from kassa_stripe.options import StripeOptions
from kassa_stripe.provider import StripeProvider

__all__ = ["StripeOptions", "StripeProvider"]
