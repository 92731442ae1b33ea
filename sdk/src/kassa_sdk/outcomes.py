"""Outcomes: how a call to a provider can end.  Closed: there is no seventh.

==================  =====================================  ====================================================
outcome             did money (or a hold) move?            may we ask again?
==================  =====================================  ====================================================
``Succeeded``       yes, exactly what the facts say        no
``ActionRequired``  not yet                                after the shopper acted
``Pending``         the provider has it, nobody knows yet  no: wait for a notice, or look up
``Declined``        no, definitively                       only as a new attempt
``NotSent``         no: it never reached the provider      yes, with the same key
``Unknown``         nobody can tell                        look up, or resend the same bytes with the same key
==================  =====================================  ====================================================

``NotSent`` and ``Unknown`` are different words, because a system that merges them either loses payments or charges
twice.  A hook that raises, or returns anything else, has ended in ``Unknown``.
"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from kassa_sdk.actions import Action
from kassa_sdk.facts import PaymentFacts
from kassa_sdk.records import LONGEST_TEXT, JsonObject, Record, Reference, Text


class Succeeded(Record):
    """It is done, and ``facts`` say exactly what.

    For ``authorize`` and ``action``: the authorized total (and the captured one, for an immediate sale).  For
    ``capture`` and ``refund``: exactly one movement that carries the ``attempt_key`` of the request.  For ``initiate``
    and ``update``: only the reference.  For ``cancel``: the condition "canceled".

    ``data``, where given, replaces what is stored with the session.  The shopper's storefront can read it (a client
    secret belongs here, an API key never does).
    """

    outcome: Literal["succeeded"] = "succeeded"
    facts: PaymentFacts
    data: JsonObject | None = None


class ActionRequired(Record):
    """The shopper must act first; afterwards the engine calls the hook ``action``."""

    outcome: Literal["action_required"] = "action_required"
    action: Action
    provider_reference: Reference
    data: JsonObject | None = None


class Pending(Record):
    """The provider has taken it and will tell later: a bank transfer, a debit, a refund that is under way.

    ``expected_by`` says when to look for it at the latest; ``action`` is something to show meanwhile.
    """

    outcome: Literal["pending"] = "pending"
    facts: PaymentFacts
    expected_by: AwareDatetime | None = None
    action: Action | None = None
    data: JsonObject | None = None


class Declined(Record):
    """A definitive no: no money and no hold has moved, and none will by this attempt.

    ``code`` is from the provider's own list, ``reason`` a sentence for people, ``retryable`` says whether the shopper may
    try again (another card), ``provider_reference`` names what was declined, where it has a name.
    """

    outcome: Literal["declined"] = "declined"
    code: Reference
    reason: Text
    retryable: bool = True
    provider_reference: Reference | None = None


class NotSent(Record):
    """It certainly never took effect: the connection was never made, or the provider turned it away unread.

    Say so only with proof.  Anything after the first byte was sent is ``Unknown``, unless the provider's documentation
    promises that this answer (wrong credentials, too many requests) means that nothing was done.
    """

    outcome: Literal["not_sent"] = "not_sent"
    cause: Text


class Unknown(Record):
    """Nobody can tell: a timeout, a cut connection, a server error, an answer that makes no sense."""

    outcome: Literal["unknown"] = "unknown"
    cause: Text


Outcome = Annotated[
    Succeeded | ActionRequired | Pending | Declined | NotSent | Unknown,
    Field(discriminator="outcome"),
]
"""How a call ends; a closed union, told apart by ``outcome``."""


class Found(Record):
    """The look-up found the payment; ``facts`` say where it stands, with every capture and refund it has."""

    outcome: Literal["found"] = "found"
    facts: PaymentFacts
    action: Action | None = None
    data: JsonObject | None = None


class NotFound(Record):
    """The provider does not know it.  What that proves, the manifest says (``LookUp.proves_absence``)."""

    outcome: Literal["not_found"] = "not_found"


LookUpOutcome = Annotated[Found | NotFound | NotSent | Unknown, Field(discriminator="outcome")]
"""How a look-up ends.  It has no effect at the provider, so it may be asked again at any time."""


class PaymentPage(Record):
    """One page of the provider's own list; ``facts`` say of each payment what a look-up would.

    ``next_cursor`` is what to ask with for the page after it, in the provider's own words; None: this was the last.
    """

    outcome: Literal["payment_page"] = "payment_page"
    facts: tuple[PaymentFacts, ...] = ()
    next_cursor: str | None = Field(default=None, min_length=1, max_length=LONGEST_TEXT)


ListPaymentsOutcome = Annotated[PaymentPage | NotSent | Unknown, Field(discriminator="outcome")]
"""How the listing of payments ends.  It has no effect at the provider, so a page may be asked for again at any time."""
