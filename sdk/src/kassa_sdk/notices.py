"""Notices: verified messages from a provider.  (*Webhook* is only the HTTP route on which one arrives.)"""

from pydantic import Field

from kassa_sdk.facts import PaymentFacts
from kassa_sdk.records import Record, Reference


class Notice(Record):
    """One verified message.

    ``event_id`` is the provider's own id for it, by which repetitions are recognised (None: the engine uses a hash of the
    body).  ``type`` is the provider's word.  ``facts`` is None where the message only says that something happened to
    ``provider_reference``: the engine then looks it up.
    """

    type: str = Field(min_length=1)
    event_id: str | None = None
    provider_reference: Reference | None = None
    facts: PaymentFacts | None = None
