"""API keys: made once, shown once, recognized by their hash, revoked for good; each of one store."""

import pytest
from sqlalchemy import text

from kassa import InvalidData, NotFound
from kassa.model import ApiKeyKind, Scope

from ..conftest import Shop


def test_a_key_is_recognized_whoever_asks_and_says_its_store_and_scopes(shop: Shop) -> None:
    issued = shop.engine.for_store("books").create_secret_key("back office", [Scope.REFUND, Scope.READ])
    known = shop.engine.recognize_api_key(ApiKeyKind.SECRET, issued.token)
    assert known == issued.key
    assert (issued.key.store_id, issued.key.scopes) == ("books", (Scope.READ, Scope.REFUND))
    assert shop.engine.recognize_api_key(ApiKeyKind.PUBLISHABLE, issued.token) is None
    assert shop.engine.recognize_api_key(ApiKeyKind.SECRET, issued.token + "0") is None


def test_a_secret_is_nowhere_in_the_database(shop: Shop) -> None:
    issued = shop.engine.create_secret_key("back office", [Scope.ADMIN])
    rows = shop.engine._world.database.read(
        lambda connection: [
            str(row) for table in ("api_keys", "events") for row in connection.execute(text(f"SELECT * FROM {table}"))
        ]
    )
    assert rows
    assert issued.token not in repr(issued)
    assert not any(issued.token in row or issued.token[3:40] in row for row in rows)
    assert issued.key.shown == f"sk_…{issued.token[-4:]}"


def test_a_revoked_key_opens_nothing_and_is_listed_last(shop: Shop) -> None:
    first, second = (shop.engine.create_publishable_key(title) for title in ("first", "second"))
    revoked = shop.engine.revoke_api_key(second.key.id)
    assert revoked.revoked_at is not None
    assert shop.engine.revoke_api_key(second.key.id) == revoked
    assert shop.engine.recognize_api_key(ApiKeyKind.PUBLISHABLE, second.token) is None
    assert [key.title for key in shop.engine.list_api_keys()] == ["first", "second"]
    assert first.key.shown == first.token


def test_a_store_neither_sees_nor_revokes_the_keys_of_another(shop: Shop) -> None:
    issued = shop.engine.create_publishable_key("ours")
    other = shop.engine.for_store("other")
    assert other.list_api_keys() == ()
    with pytest.raises(NotFound, match="there is no API key"):
        other.revoke_api_key(issued.key.id)


def test_a_key_needs_words_and_a_secret_one_something_that_it_opens(shop: Shop) -> None:
    with pytest.raises(InvalidData, match=r"^title: expected some words"):
        shop.engine.create_publishable_key(" ")
    with pytest.raises(InvalidData, match=r"^scopes: expected some of read, capture, refund, admin"):
        shop.engine.create_secret_key("back office", [])
