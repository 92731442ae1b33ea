"""One payment through a provider of a stranger's, as a shop takes it; run by their interpreter, beside a `kassa.toml`.

    python downstream_payment.py URL_OF_THE_STAND_IN

The shopper acts where they must, the money comes in where it comes later, a part of it is given back.  In the end the
books of the provider's server must say the same as ours.
"""

import sys

import kassa
from kassa import Money, NewItem
from kassa_simulator.control import NoticeSelection, SimulatorControl

TOTAL, GIVEN_BACK = Money.parse("49.98", "EUR"), Money.parse("5.00", "EUR")


def main(url: str) -> None:
    """Pay, and compare; an AssertionError says what went otherwise."""
    control = SimulatorControl(url, "simulator-api-key")
    engine = kassa.open("kassa.toml")
    cart = engine.create_cart("eu", [NewItem(title="Tea", quantity=2, unit_price=Money.parse("24.99", "EUR"))])
    (provider,) = engine.list_payment_providers("eu")
    session = engine.create_payment_session(engine.create_payment_collection(cart.id).id, provider)
    reference = str(session.data["payment_id"])
    completion = engine.complete_cart(cart.id)
    print(completion.type)
    if completion.type == "action_needed":
        print(completion.action.type)
        control.answer_challenge(reference, "approve")
        completion = engine.complete_cart(cart.id)
    assert completion.type == "order_placed", completion
    if not completion.is_paid:
        control.do("settle", reference)
    for notice in control.notices(NoticeSelection(payment_id=reference)):
        forged = notice["body"].replace('"captured":', '"captured":9').encode()
        try:
            engine.receive_notice(provider, forged, notice["headers"])
        except kassa.Unverified:
            print("a forged notice was refused")
        else:
            raise AssertionError("a forged notice was believed")
        engine.receive_notice(provider, notice["body"].encode(), notice["headers"])
    engine.work()
    (payment,) = engine.list_payments()
    if not payment.captured:
        engine.capture_payment(payment.id)
    engine.refund_payment(payment.id, GIVEN_BACK)
    ours, theirs = engine.retrieve_payment(payment.id).payment, control.payment(reference)
    assert (ours.captured, ours.refunded) == (TOTAL, GIVEN_BACK), ours
    assert (theirs["captured"], theirs["refunded"]) == (TOTAL.minor, GIVEN_BACK.minor), theirs
    print(f"paid {ours.captured}, gave back {ours.refunded}, and the provider's books say the same")
    engine.close()


if __name__ == "__main__":
    main(sys.argv[1])
