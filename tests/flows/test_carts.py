"""Carts of kassa's own: filled from the catalogue, changed while nobody pays them, and priced by the shop alone."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from kassa import Engine, InvalidData, Money, NewItem, NotAllowed, NotFound, OrderPlaced
from kassa.carts import CartChanges, Wanted
from kassa.config import parse
from kassa.opening import assemble
from kassa_sdk import Address, Customer, Shopper
from kassa_simulator.process import SimulatorProcess

from ..conftest import CARDS

CATALOGUE = """
[carts.options.catalogue.tea]
title = "Tea"
prices = { EUR = "12.50", JPY = "2100" }

[carts.options.catalogue.bowl]
title = "Bowl"
prices = { EUR = "8.00" }
"""


@pytest.fixture
def engine(configured: str, simulator: SimulatorProcess) -> Iterator[Engine]:
    """The shop, with a catalogue."""
    opened = assemble(parse(configured + CATALOGUE))
    yield opened
    opened.close()


def tea(quantity: int = 1) -> Wanted:
    """So much tea."""
    return Wanted(variant_id="tea", quantity=quantity)


def test_the_price_is_that_of_the_catalogue_in_the_currency_of_the_region(engine: Engine) -> None:
    assert engine.create_catalogue_cart("eu", [tea()]).total == Money.parse("12.50", "EUR")
    assert engine.create_catalogue_cart("jp", [tea()]).total == Money.parse("2100", "JPY")


def test_what_is_not_for_sale_there_is_refused_by_the_name_of_its_field(engine: Engine) -> None:
    with pytest.raises(InvalidData, match=r"^items\[1\].variant_id: 'samovar' is not for sale; see"):
        engine.create_catalogue_cart("eu", [tea(), Wanted(variant_id="samovar", quantity=1)])
    with pytest.raises(InvalidData, match=r"^items\[0\].variant_id: 'bowl' is not for sale in JPY; see"):
        engine.create_catalogue_cart("jp", [Wanted(variant_id="bowl", quantity=1)])


def test_more_of_what_is_in_a_cart_already_makes_its_line_longer(engine: Engine) -> None:
    cart = engine.create_catalogue_cart("eu", [tea()])
    after = engine.add_to_cart(cart.id, tea(2))
    assert [(line.variant_id, line.quantity) for line in after.items] == [("tea", 3)]
    assert after.total == Money.parse("37.50", "EUR")
    assert engine.retrieve_cart(cart.id) == after


def test_a_line_has_the_quantity_that_is_wanted_and_is_gone_with_none(engine: Engine) -> None:
    cart = engine.create_catalogue_cart("eu", [tea(), Wanted(variant_id="bowl", quantity=1)])
    first = cart.items[0].id
    assert engine.set_cart_quantity(cart.id, first, 4).total == Money.parse("58.00", "EUR")
    assert [line.variant_id for line in engine.set_cart_quantity(cart.id, first, 0).items] == ["bowl"]
    with pytest.raises(NotFound, match="there is no line"):
        engine.set_cart_quantity(cart.id, first, 1)
    with pytest.raises(InvalidData, match=r"^quantity: expected 0 to"):
        engine.set_cart_quantity(cart.id, cart.items[1].id, -1)


def test_just_what_is_given_is_changed(engine: Engine) -> None:
    known = Shopper(customer=Customer(email="ada@example.org", groups=("staff",)), locale="de")
    cart = engine.create_catalogue_cart("eu", [tea()], known, {"note": "gift"})
    after = engine.update_cart(cart.id, CartChanges(shipping_address=Address(city="Bremen")))
    assert after.shopper == known.model_copy(update={"shipping_address": Address(city="Bremen")})
    assert after.metadata == {"note": "gift"}
    assert engine.update_cart(cart.id, CartChanges(email=None)).shopper.customer == Customer(groups=("staff",))
    assert engine.retrieve_cart(cart.id).items == cart.items


def test_another_region_prices_a_cart_anew_or_refuses_what_is_not_sold_there(engine: Engine) -> None:
    cart = engine.create_catalogue_cart("eu", [tea(2)])
    moved = engine.update_cart(cart.id, CartChanges(region_id="jp"))
    assert (moved.region_id, str(moved.total)) == ("jp", "4200 JPY")
    bowls = engine.create_catalogue_cart("eu", [Wanted(variant_id="bowl", quantity=1)])
    with pytest.raises(InvalidData, match=r"^region_id: 'bowl' is not for sale in JPY"):
        engine.update_cart(bowls.id, CartChanges(region_id="jp"))


def test_nobody_but_the_shop_changes_what_it_has_put_into_a_cart_or_at_which_price(engine: Engine) -> None:
    ours = NewItem(title="Gold tin", quantity=1, unit_price=Money.parse("500.00", "EUR"), variant_id="tea")
    cart = engine.create_cart("eu", [ours])
    for change in (
        lambda: engine.update_cart(cart.id, CartChanges(region_id="jp")),
        lambda: engine.add_to_cart(cart.id, tea()),
        lambda: engine.set_cart_quantity(cart.id, cart.items[0].id, 0),
    ):
        with pytest.raises(NotAllowed, match="the shop has filled"):
            change()
    assert engine.retrieve_cart(cart.id) == cart
    assert not engine.replace_cart_items(engine.create_catalogue_cart("eu", [tea()]).id, [ours]).is_of_catalogue


def test_the_same_wish_under_the_same_key_gets_the_same_cart_also_when_prices_have_changed(
    engine: Engine, configured: str
) -> None:
    cart = engine.create_catalogue_cart("eu", [tea()], idempotency_key="new-cart")
    with closing(assemble(parse(configured + CATALOGUE.replace("12.50", "13.00")))) as dearer:
        assert dearer.create_catalogue_cart("eu", [tea()], idempotency_key="new-cart") == cart
        assert dearer.create_catalogue_cart("eu", [tea()]).total == Money.parse("13.00", "EUR")


def test_while_a_cart_is_being_paid_nothing_that_its_provider_knows_is_changed(engine: Engine) -> None:
    cart = engine.create_catalogue_cart("eu", [tea()])
    collection = engine.create_payment_collection(cart.id)
    engine.authorize_payment_session(engine.create_payment_session(collection.id, CARDS).id)
    for change in (
        lambda: engine.add_to_cart(cart.id, tea()),
        lambda: engine.set_cart_quantity(cart.id, cart.items[0].id, 0),
        lambda: engine.update_cart(cart.id, CartChanges(region_id="jp")),
        lambda: engine.update_cart(cart.id, CartChanges(email="ada@example.org")),
        lambda: engine.update_cart(cart.id, CartChanges(shipping_address=Address(country_code="FR"))),
    ):
        with pytest.raises(NotAllowed, match="is being paid"):
            change()
    assert engine.update_cart(cart.id, CartChanges(metadata={"note": "gift"})).metadata == {"note": "gift"}


def test_an_ordered_cart_is_not_changed_any_more(engine: Engine) -> None:
    cart = engine.create_catalogue_cart("eu", [tea()])
    engine.create_payment_session(engine.create_payment_collection(cart.id).id, CARDS)
    completed = engine.complete_cart(cart.id)
    ordered = engine.retrieve_cart(cart.id)
    assert ordered.order_id == getattr(completed, "order_id", None)
    assert ordered.completed_at is not None
    with pytest.raises(NotAllowed, match="is ordered already"):
        engine.update_cart(cart.id, CartChanges(email="ada@example.org"))


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ('prices = { EUR = "12.505" }', "has 3 decimals; EUR has 2"),
        ('prices = { EURO = "1" }', "is not a currency that can be paid with"),
        ('prices = { EUR = "-1.00" }', "expected zero or more"),
        ("prices = {}", "has too few entries"),
        ('price = "1.00"', "unknown key"),
    ],
)
def test_a_mistake_in_the_catalogue_is_told_with_its_place(written: str, told: str) -> None:
    catalogue = f'[carts.options.catalogue.tea]\ntitle = "Tea"\n{written}\n'
    with pytest.raises(Exception, match=r"carts\.options\.catalogue\.tea") as caught:
        assemble(parse(catalogue))
    assert told in str(caught.value)


def test_a_cart_that_was_moved_is_not_paid_with_what_was_begun_in_the_region_before(engine: Engine) -> None:
    cart = engine.create_catalogue_cart("eu", [tea()])
    collection = engine.create_payment_collection(cart.id)
    engine.create_payment_session(collection.id, CARDS)
    engine.update_cart(cart.id, CartChanges(region_id="jp"))
    for ask in (
        lambda: engine.create_payment_collection(cart.id),
        lambda: engine.create_payment_session(collection.id, CARDS),
        lambda: engine.complete_cart(cart.id),
    ):
        with pytest.raises(NotAllowed, match=r"is in region jp \(JPY\) now, .* create another cart$"):
            ask()
    engine.update_cart(cart.id, CartChanges(region_id="eu"))
    assert isinstance(engine.complete_cart(cart.id), OrderPlaced)
