"""kassa extension that screens payments for fraud: by amount, and by how often a shopper was declined of late."""

from kassa_screening.screening import Screening, ScreeningOptions

__all__ = ["Screening", "ScreeningOptions"]
