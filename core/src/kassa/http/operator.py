"""What operators ask: what is in doubt and what becomes of it, the history, the inbox, cases, deliveries, switches.

Medusa has none of this.  What concerns every store is opened by keys of the store ``default`` alone.
"""

from typing import Any

from fastapi import APIRouter

from kassa.engine import Engine
from kassa.http import bodies, exact, queries
from kassa.http import operator_documents as documents
from kassa.http.access import Administrator, Reader
from kassa.http.errors import Forbidden
from kassa.http.exact import ExactResponse, ExactRoute
from kassa.regions import Circumstances

router = APIRouter(prefix="/admin", tags=["operator"], route_class=ExactRoute, default_response_class=ExactResponse)

OPERATORS_STORE = "default"


@router.get("/operations", response_model=documents.Operations)
def list_operations_in_doubt(shop: Reader, query: queries.Most) -> Any:
    """List what is not settled, oldest first: under way, waiting, unknown, or for a person to decide."""
    found = shop.list_operations_in_doubt(limit=query.limit)
    return ExactResponse({"operations": [documents.operation(each) for each in found]})


@router.post("/operations/{operation_id}/look-again", response_model=documents.OperationAnswer)
def look_again(shop: Administrator, operation_id: str) -> Any:
    """Do now what recovery would do later: send it again with its key, or ask the provider what became of it."""
    return ExactResponse({"operation": documents.operation(shop.look_again(operation_id))})


@router.post("/operations/{operation_id}/resolve", response_model=documents.OperationAnswer)
def resolve_operation(shop: Administrator, operation_id: str, body: bodies.ResolveOperation) -> Any:
    """Decide what became of it, having seen the provider's own books; it is kept with who and why."""
    settled = shop.resolve_operation(
        operation_id,
        has_succeeded=body.has_succeeded,
        who=body.who,
        why=body.why,
        provider_reference=body.provider_reference,
    )
    return ExactResponse({"operation": documents.operation(settled)})


@router.get("/payment-collections/{payment_collection_id}/operations", response_model=documents.Operations)
def list_operations(shop: Reader, payment_collection_id: str) -> Any:
    """List every intent towards a provider for a payment collection, oldest first."""
    found = shop.list_operations(payment_collection_id)
    return ExactResponse({"operations": [documents.operation(each) for each in found]})


@router.get("/payment-collections/{payment_collection_id}/events", response_model=documents.Events)
def list_events(shop: Reader, payment_collection_id: str) -> Any:
    """List the whole history of a payment collection, oldest first."""
    found = shop.list_events(payment_collection_id)
    return ExactResponse({"events": [documents.event(each) for each in found]})


@router.get("/notices", response_model=documents.NoticesPart)
def list_notices(shop: Reader, query: queries.WantedNotices) -> Any:
    """List the inbox of verified messages, newest first."""
    found = shop.list_notices(status=query.status, limit=query.limit, offset=query.offset)
    return ExactResponse(_part(query, notices=[documents.notice(each) for each in found]))


@router.get("/notices/{notice_id}", response_model=documents.NoticeAnswer)
def retrieve_notice(shop: Reader, notice_id: str) -> Any:
    """One message."""
    return ExactResponse({"notice": documents.notice(shop.retrieve_notice(notice_id))})


@router.post("/notices/{notice_id}/replay", response_model=documents.NoticeAnswer)
def replay_notice(shop: Administrator, notice_id: str) -> Any:
    """Apply a message again, also one that was given up; what is known already changes nothing."""
    return ExactResponse({"notice": documents.notice(shop.replay_notice(notice_id))})


@router.get("/cases", response_model=documents.CasesPart)
def list_cases(shop: Reader, query: queries.WantedCases) -> Any:
    """List what a person should know about or decide, newest first; or what somebody has dealt with."""
    found = shop.list_cases(status=query.status, limit=query.limit, offset=query.offset)
    return ExactResponse(_part(query, cases=[documents.case(each) for each in found]))


@router.post("/cases/{case_id}/close", response_model=documents.CaseAnswer)
def close_case(shop: Administrator, case_id: str, body: bodies.Decision) -> Any:
    """Note that somebody has dealt with a case; money is moved by other routes."""
    return ExactResponse({"case": documents.case(shop.close_case(case_id, who=body.who, why=body.why))})


@router.get("/deliveries", response_model=documents.DeliveriesPart)
def list_deliveries(shop: Reader, query: queries.WantedDeliveries) -> Any:
    """List who was told which event, newest first."""
    found = shop.list_deliveries(status=query.status, limit=query.limit, offset=query.offset)
    return ExactResponse(_part(query, deliveries=[documents.delivery(each) for each in found]))


@router.post("/deliveries/{delivery_id}/replay", response_model=documents.DeliveryAnswer)
def replay_delivery(shop: Administrator, delivery_id: str) -> Any:
    """Tell an event once more; the subscriber knows it by its webhook-id."""
    return ExactResponse({"delivery": documents.delivery(shop.replay_delivery(delivery_id))})


@router.get("/regions/{region_id}/explain", response_model=documents.Verdicts)
def explain_providers(shop: Reader, region_id: str, query: queries.Explained) -> Any:
    """Say of each provider that a region enables whether it is offered, and if not, every reason why."""
    currency = shop.retrieve_region(region_id).currency
    circumstances = Circumstances(
        amount=None if query.amount is None else exact.amount("amount", query.amount, currency),
        country=None if query.country_code is None else query.country_code.upper(),
        customer_groups=tuple(query.customer_group) or None,
    )
    found = shop.explain_providers(region_id, circumstances)
    return ExactResponse({"verdicts": [documents.verdict(each) for each in found]})


@router.get("/provider-switches", response_model=documents.SwitchesPart)
def list_provider_switches(shop: Reader, query: queries.Paged) -> Any:
    """List who switched which provider off, where, why, and until when; what is off first.  Of every store."""
    _require_operator(shop)
    found = shop.list_provider_switches(limit=query.limit, offset=query.offset)
    return ExactResponse(_part(query, provider_switches=[documents.switch(each) for each in found]))


@router.post("/payment-providers/{provider_id}/switch-off", response_model=documents.SwitchAnswer)
def switch_provider_off(shop: Administrator, provider_id: str, body: bodies.Switch) -> Any:
    """Offer a provider no more, at once, in one region or everywhere, for every store; what is under way goes on."""
    _require_operator(shop)
    turned = shop.switch_provider_off(provider_id, body.region_id, who=body.who, why=body.why)
    return ExactResponse({"provider_switch": documents.switch(turned)})


@router.post("/payment-providers/{provider_id}/switch-on", response_model=documents.SwitchAnswer)
def switch_provider_on(shop: Administrator, provider_id: str, body: bodies.Switch) -> Any:
    """Offer it again."""
    _require_operator(shop)
    turned = shop.switch_provider_on(provider_id, body.region_id, who=body.who, why=body.why)
    return ExactResponse({"provider_switch": documents.switch(turned)})


@router.get("/reconciliations", response_model=documents.ReconciliationsPart)
def list_reconciliations(shop: Reader, query: queries.Paged) -> Any:
    """List the comparisons with the providers' own lists of payments, newest first.  Of every store."""
    _require_operator(shop)
    found = shop.list_reconciliations(limit=query.limit, offset=query.offset)
    return ExactResponse(_part(query, reconciliations=[documents.reconciliation(each) for each in found]))


def _require_operator(shop: Engine) -> None:
    if shop.store_id != OPERATORS_STORE:
        raise Forbidden(f"this concerns every store; expected a key of the store {OPERATORS_STORE!r}")


def _part(query: queries.Page, **found: list[Any]) -> dict[str, Any]:
    return {**found, "offset": query.offset, "limit": query.limit}
