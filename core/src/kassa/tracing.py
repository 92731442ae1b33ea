"""Spans of OpenTelemetry: one around each call to a provider, inside of whichever span the application has.

    engine = kassa.open("kassa.toml", watchers=[Traces()])

Nothing is exported unless the application, or ``opentelemetry-instrument``, sets up an SDK.  What a provider does on its own
thread is inside of the span as well.
"""

from importlib.metadata import version

from opentelemetry import context, trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from kassa.watching import RAISED, Ended, ProviderCall

UNCLEAR = frozenset({"not_sent", "unknown", RAISED})
"""Outcomes that are errors to whoever reads traces; a decline is an answer."""


class Traces:
    """Makes a span of each call to a provider.  No span holds an amount, a secret, or anything of the shopper."""

    def __init__(self) -> None:
        self._tracer = trace.get_tracer("kassa", version("kassa"))

    def begins(self, call: ProviderCall) -> Ended:
        """A call is made now."""
        attributes = {
            "kassa.provider": call.provider_id,
            "kassa.hook": call.hook,
            "kassa.region": call.region_id,
            "kassa.operation": call.operation_id,
            "kassa.payment_session": call.payment_session_id,
        }
        known = {name: value for name, value in attributes.items() if value}
        span = self._tracer.start_span(f"{call.hook} {call.provider_id}", kind=SpanKind.CLIENT, attributes=known)
        token = context.attach(trace.set_span_in_context(span))

        def ended(outcome: str) -> None:
            context.detach(token)
            span.set_attribute("kassa.outcome", outcome)
            if outcome in UNCLEAR:
                span.set_status(Status(StatusCode.ERROR, outcome))
            span.end()

        return ended
