"""Which fields a client gets: ``fields`` as Medusa's clients write it."""

import pytest
from typing_extensions import TypedDict

from kassa.errors import InvalidData
from kassa.http.fields import Fields


class Line(TypedDict, total=False):
    """What is inside."""

    title: str
    price: int


class Basket(TypedDict, total=False):
    """What has something inside."""

    id: str
    total: int
    lines: list[Line]
    gift: Line | None


FIELDS = Fields(Basket, "id", "total", "*lines")
BASKET: Basket = {
    "id": "b",
    "total": 3,
    "lines": [{"title": "Tea", "price": 3}],
    "gift": {"title": "Ribbon", "price": 0},
}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("", {"id": "b", "total": 3, "lines": [{"title": "Tea", "price": 3}]}),
        ("id", {"id": "b"}),
        ("id,lines.title", {"id": "b", "lines": [{"title": "Tea"}]}),
        ("-total", {"id": "b", "lines": [{"title": "Tea", "price": 3}]}),
        ("-lines", {"id": "b", "total": 3}),
        ("-lines.price", {"id": "b", "total": 3, "lines": [{"title": "Tea"}]}),
        ("+gift.title,-lines,-total", {"id": "b", "gift": {"title": "Ribbon"}}),
        (" gift.title,-lines,-total", {"id": "b", "gift": {"title": "Ribbon"}}),
        ("*gift,-lines,-total", {"id": "b", "gift": {"title": "Ribbon", "price": 0}}),
        ("gift.*,-lines,-total", {"id": "b", "gift": {"title": "Ribbon", "price": 0}}),
        ("id,+total", {"id": "b", "total": 3}),
        ("*", {"id": "b", "total": 3, "lines": [{"title": "Tea", "price": 3}]}),
    ],
)
def test_a_client_gets_what_it_asks_for(asked: str, told: dict[str, object]) -> None:
    assert FIELDS.chosen(asked).of(BASKET) == told


@pytest.mark.parametrize(
    "asked",
    [
        "secret",
        "+secret",
        "lines.secret",
        "id.more",
        "*secret",
        "gift.title.letters",
        "++id",
        "id.*",
        "lines.",
    ],
)
def test_a_field_that_there_is_not_is_refused_by_its_name(asked: str) -> None:
    with pytest.raises(InvalidData, match=r"^fields: expected fields that there are, not "):
        FIELDS.chosen(asked)


def test_nothing_stands_where_there_is_nothing() -> None:
    assert FIELDS.chosen("id,*gift").of({**BASKET, "gift": None}) == {"id": "b", "gift": None}


def test_what_costs_a_look_into_the_database_is_known_beforehand() -> None:
    assert not FIELDS.chosen("").wants("gift")
    assert FIELDS.chosen("+gift.title").wants("gift")


@pytest.mark.parametrize("asked", [",".join(["id"] * 101), "," * 100])
def test_more_names_than_anybody_means_are_refused(asked: str) -> None:
    with pytest.raises(InvalidData, match=r"^fields: expected at most 100 names"):
        FIELDS.chosen(asked)
