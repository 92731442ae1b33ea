"""Every record of the contract survives a trip through JSON unchanged, and refuses what it does not know."""

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import AwareDatetime, JsonValue, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

import kassa_sdk
from kassa_sdk import (
    AccountHolderOutcome,
    Action,
    DeleteOutcome,
    ListOutcome,
    ListPaymentsOutcome,
    LookUpOutcome,
    Money,
    Outcome,
    PaymentFacts,
    Record,
    SaveOutcome,
)
from kassa_sdk.actions import ActionType
from kassa_sdk.manifest import AmountLimits, Idempotency
from kassa_sdk.money import CurrencyCode
from kassa_sdk.records import LONGEST_TEXT, Reference, Text

UNIONS = {
    "Action": Action,
    "Outcome": Outcome,
    "LookUpOutcome": LookUpOutcome,
    "ListPaymentsOutcome": ListPaymentsOutcome,
    "AccountHolderOutcome": AccountHolderOutcome,
    "SaveOutcome": SaveOutcome,
    "ListOutcome": ListOutcome,
    "DeleteOutcome": DeleteOutcome,
}
RECORDS = sorted(
    (
        thing
        for name in kassa_sdk.__all__
        if isinstance(thing := getattr(kassa_sdk, name), type) and issubclass(thing, Record)
    ),
    key=lambda record: record.__name__,
)
CURRENCIES = ["JPY", "EUR", "KWD"]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
references = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
sentences = references
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=offsets)


def money(currency: str, smallest: int = -(2**63) + 1) -> st.SearchStrategy[Money]:
    return st.builds(Money, st.integers(smallest, 2**63 - 1), st.just(currency))


@cache
def values(annotation: Any) -> st.SearchStrategy[Any]:
    """Any value that a field of this type may have."""
    simple: Mapping[Any, st.SearchStrategy[Any]] = {
        str: st.text(min_size=1, max_size=20),
        Reference: references,
        Text: sentences,
        bytes: st.binary(max_size=50),
        bool: st.booleans(),
        int: st.integers(1, 18),
        CurrencyCode: st.sampled_from(CURRENCIES),
        NoneType: st.none(),
        JsonValue: json_values,
        AwareDatetime: moments,
        datetime: moments,
        timedelta: st.timedeltas(timedelta(0), timedelta(days=400)),
        Money: st.sampled_from(CURRENCIES).flatmap(money),
        PaymentFacts: facts(),
        AmountLimits: st.builds(AmountLimits, minimum=st.none() | money("EUR")),
        Idempotency: st.builds(Idempotency, keys=st.just("native"), window=st.timedeltas(timedelta(0), timedelta(9))),
    }
    if annotation in simple:
        return simple[annotation]
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return records(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return st.sampled_from(annotation)
    return composite_values(get_origin(annotation), get_args(annotation))


def composite_values(origin: Any, inner: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if origin is Literal:
        return st.sampled_from(inner)
    if origin in (Union, UnionType):
        return st.one_of(*map(values, inner))
    if origin is Annotated:
        return values(inner[0])
    if origin is tuple:
        return st.lists(values(inner[0]), min_size=1, max_size=3).map(tuple)
    if origin is frozenset:
        return st.frozensets(values(inner[0]), min_size=1, max_size=3)
    if origin is dict:
        return st.dictionaries(values(inner[0]), values(inner[1]), max_size=3)
    raise NotImplementedError(f"teach this test about {origin}[{inner}]")


def field_values(field: FieldInfo) -> st.SearchStrategy[Any]:
    patterns = [pattern for rule in field.metadata if (pattern := getattr(rule, "pattern", None))]
    if patterns:
        text = st.from_regex(patterns[0], fullmatch=True).filter(str.isalnum)
        return text if field.is_required() else st.none() | text
    return values(field.annotation)


@cache
def records(record: type[Record]) -> st.SearchStrategy[Any]:
    return st.deferred(
        lambda: st.builds(record, **{name: field_values(field) for name, field in record.model_fields.items()})
    )


@st.composite
def facts(draw: st.DrawFn) -> PaymentFacts:
    """Facts are in one currency and never negative, which their fields do not tell."""
    amount = money(draw(st.sampled_from(CURRENCIES)), smallest=0)
    movements = st.lists(
        st.builds(
            kassa_sdk.Movement,
            provider_reference=references,
            amount=amount,
            status=st.sampled_from(["pending", "succeeded", "failed"]),
            attempt_key=st.none() | st.text(),
        ),
        max_size=2,
    ).map(tuple)
    disputes = st.lists(
        st.builds(
            kassa_sdk.Dispute,
            provider_reference=references,
            amount=amount,
            status=st.sampled_from(["open", "won", "lost"]),
        ),
        max_size=2,
    ).map(tuple)
    totals = {name: st.none() | amount for name in ("authorized", "captured", "refunded", "returned")}
    return draw(
        st.builds(
            PaymentFacts,
            provider_reference=references,
            our_reference=st.none() | references,
            condition=st.sampled_from([None, "open", "pending", "authorized", "declined", "canceled", "expired"]),
            captures=movements,
            refunds=movements,
            disputes=disputes,
            **totals,
        )
    )


def members(union: Any) -> tuple[type[Record], ...]:
    (inner, *_) = get_args(union)
    return get_args(inner)


def anything_in(record: type[Record]) -> st.SearchStrategy[Any]:
    return values(record) if record in (PaymentFacts, AmountLimits, Idempotency) else records(record)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_a_record_survives_a_trip_through_json(record: type[Record], data: st.DataObject) -> None:
    before = data.draw(anything_in(record))
    assert record.model_validate_json(before.model_dump_json()) == before


@pytest.mark.parametrize(
    ("union", "member"),
    [(union, member) for union in UNIONS.values() for member in members(union)],
    ids=[f"{name}-{member.__name__}" for name, union in UNIONS.items() for member in members(union)],
)
@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_a_member_of_a_union_is_told_apart_after_a_trip_through_json(
    union: Any, member: type[Record], data: st.DataObject
) -> None:
    before = data.draw(records(member))
    adapter: TypeAdapter[Record] = TypeAdapter(union)
    after = adapter.validate_json(adapter.dump_json(before))
    assert type(after) is member
    assert after == before


def test_every_member_of_every_union_is_public() -> None:
    assert {member for union in UNIONS.values() for member in members(union)} <= set(RECORDS)


def test_every_public_union_is_tested_here() -> None:
    public = {
        name
        for name in kassa_sdk.__all__
        if get_origin(getattr(kassa_sdk, name)) is Annotated
        and get_origin(get_args(getattr(kassa_sdk, name))[0]) in (Union, UnionType)
    }
    assert public == set(UNIONS)


@pytest.mark.parametrize("union", UNIONS.values(), ids=UNIONS)
def test_no_two_members_of_a_union_have_the_same_word(union: Any) -> None:
    _, rule = get_args(union)
    words = [member.model_fields[rule.discriminator].default for member in members(union)]
    assert len(set(words)) == len(words)


def test_the_words_for_actions_in_a_manifest_are_those_of_the_union() -> None:
    assert set(get_args(ActionType)) == {member.model_fields["type"].default for member in members(Action)}


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_a_field_that_a_record_does_not_know_is_refused(record: type[Record]) -> None:
    with pytest.raises(ValidationError) as refused:
        record.model_validate({"misspelt": 1})
    assert ("misspelt",) in [error["loc"] for error in refused.value.errors() if error["type"] == "extra_forbidden"]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_a_record_cannot_be_changed(record: type[Record]) -> None:
    assert record.model_config["frozen"] is True


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_cannot_say_is_refused_and_not_turned_into_null(number: float) -> None:
    with pytest.raises(ValidationError):
        kassa_sdk.CancelRequest(attempt_key="k", our_reference="s", provider_reference="p", data={"number": number})


@pytest.mark.parametrize("key", ["", "k" * 81])
def test_an_attempt_key_has_one_to_eighty_characters(key: str) -> None:
    with pytest.raises(ValidationError, match="attempt_key"):
        kassa_sdk.CancelRequest(attempt_key=key, our_reference="s", provider_reference="p")


@pytest.mark.parametrize("code", ["de", "DEU", "D", "", "1A", "DE\n"])
def test_a_country_is_two_capital_letters(code: str) -> None:
    with pytest.raises(ValidationError, match="country_code"):
        kassa_sdk.Address(country_code=code)


@pytest.mark.parametrize("reference", ["", "x" * 256, "a\x00b", "a\nb"])
def test_a_reference_that_no_database_keeps_is_refused(reference: str) -> None:
    with pytest.raises(ValidationError):
        PaymentFacts(provider_reference=reference)


def test_a_provider_s_words_never_keep_an_outcome_from_being_stored() -> None:
    cause = kassa_sdk.Unknown(cause="broken\x00" + "x" * 10_000).cause
    assert cause.startswith("broken x")
    assert len(cause) == LONGEST_TEXT


@pytest.mark.parametrize("data", [{"a": "x" * 70_000}, {"a": 10**5000}])
def test_data_that_is_too_large_to_keep_is_refused(data: dict[str, JsonValue]) -> None:
    with pytest.raises((ValidationError, ValueError)):
        kassa_sdk.Succeeded(facts=PaymentFacts(provider_reference="theirs"), data=data)
