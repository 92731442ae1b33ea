"""What stands behind the question mark: every parameter that there is.  Everything else is refused, as Medusa does."""

import re
from decimal import Decimal
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from kassa.arguments import LARGEST_PAGE
from kassa.carts import PRINTABLE
from kassa.http import documents
from kassa.http.fields import Choice
from kassa.model import CaseStatus
from kassa.store.payment_search import Moments, Order, PaymentSearch
from kassa.transitions import DeliveryStatus, NoticeStatus

FARTHEST = 2**31
_WRITTEN = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\S+")


def _as_written(value: object) -> object:
    """Not a number of seconds, which nobody can read."""
    if not isinstance(value, str) or not _WRITTEN.fullmatch(value):
        raise ValueError("expected a moment such as 2026-11-01T00:00:00Z")
    return value


_Moment = Annotated[AwareDatetime, BeforeValidator(_as_written)]
_CountryCode = Annotated[str, Field(pattern="^[A-Za-z]{2}$")]
_Ids = Annotated[list[Annotated[str, Field(max_length=255, pattern=PRINTABLE)]], Field(max_length=100)]


FieldsT = TypeVar("FieldsT")


class Asked(BaseModel):
    """Just these parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Select(Asked, Generic[FieldsT]):
    """Which fields of the answer are wanted."""

    fields: FieldsT = Field(
        default="",
        validate_default=True,
        description="`id,amount`: these; `+status,-items,*payments`: the usual ones with and without",
    )


class Limited(Asked):
    """How many are wanted."""

    limit: int = Field(default=20, ge=1, le=LARGEST_PAGE, description="how many at most")


class Page(Limited):
    """Which page is wanted."""

    offset: int = Field(default=0, ge=0, le=FARTHEST, description="how many to leave out at the beginning")


class Listed(Page, Select[FieldsT], Generic[FieldsT]):
    """Which page is wanted, and which fields."""


class ListPaymentProviders(Listed[Annotated[Choice, documents.PROVIDER]]):
    """Of which region."""

    region_id: str = Field(max_length=255)


class ListPayments(Listed[Annotated[Choice, documents.PAYMENT]]):
    """Which payments; everything that is given must fit."""

    q: str | None = Field(
        default=None,
        max_length=255,
        pattern=PRINTABLE,
        description="what an id, or the provider's reference, begins with",
    )
    id: _Ids = []
    payment_session_id: _Ids = []
    order: Order = "-created_at"
    created_after: _Moment | None = Field(default=None, alias="created_at[$gt]")
    created_from: _Moment | None = Field(default=None, alias="created_at[$gte]")
    created_before: _Moment | None = Field(default=None, alias="created_at[$lt]")
    created_until: _Moment | None = Field(default=None, alias="created_at[$lte]")

    updated_after: _Moment | None = Field(default=None, alias="updated_at[$gt]")
    updated_from: _Moment | None = Field(default=None, alias="updated_at[$gte]")
    updated_before: _Moment | None = Field(default=None, alias="updated_at[$lt]")
    updated_until: _Moment | None = Field(default=None, alias="updated_at[$lte]")

    def search(self) -> PaymentSearch:
        """As the engine has it."""
        created = Moments(gt=self.created_after, gte=self.created_from, lt=self.created_before, lte=self.created_until)
        updated = Moments(gt=self.updated_after, gte=self.updated_from, lt=self.updated_before, lte=self.updated_until)
        return PaymentSearch(
            text=self.q,
            ids=tuple(self.id),
            session_ids=tuple(self.payment_session_id),
            created=created,
            updated=updated,
            order=self.order,
        )


class ListNotices(Page):
    """Those of one status, or all."""

    status: NoticeStatus | None = None


class ListCases(Page):
    """Those that are open, or those that were dealt with."""

    status: CaseStatus = CaseStatus.OPEN


class ListDeliveries(Page):
    """Those of one status, or all."""

    status: DeliveryStatus | None = None


class ExplainProviders(Asked):
    """For which cart; what is not given excludes nothing."""

    amount: Annotated[Decimal, WithJsonSchema({"type": "number"})] | SkipJsonSchema[None] = Field(
        default=None, description="in major units of the region's currency"
    )
    country_code: _CountryCode | SkipJsonSchema[None] = None
    customer_group: list[str] = Field(default=[], max_length=100)


SelectedRegion = Annotated[Select[Annotated[Choice, documents.REGION]], Query()]
SelectedCart = Annotated[Select[Annotated[Choice, documents.CART]], Query()]
SelectedOrder = Annotated[Select[Annotated[Choice, documents.ORDER]], Query()]
SelectedCollection = Annotated[Select[Annotated[Choice, documents.COLLECTION]], Query()]
SelectedSession = Annotated[Select[Annotated[Choice, documents.SESSION]], Query()]
SelectedPayment = Annotated[Select[Annotated[Choice, documents.PAYMENT]], Query()]
SelectedRefundReason = Annotated[Select[Annotated[Choice, documents.REFUND_REASON]], Query()]

ListedRegions = Annotated[Listed[Annotated[Choice, documents.REGION]], Query()]
ListedProviders = Annotated[Listed[Annotated[Choice, documents.PROVIDER]], Query()]
ListedRefundReasons = Annotated[Listed[Annotated[Choice, documents.REFUND_REASON]], Query()]
OfferedProviders = Annotated[ListPaymentProviders, Query()]
WantedPayments = Annotated[ListPayments, Query()]

Most = Annotated[Limited, Query()]
Paged = Annotated[Page, Query()]
WantedNotices = Annotated[ListNotices, Query()]
WantedCases = Annotated[ListCases, Query()]
WantedDeliveries = Annotated[ListDeliveries, Query()]
Explained = Annotated[ExplainProviders, Query()]
