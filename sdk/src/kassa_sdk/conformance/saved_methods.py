"""Checks of account holders: what a provider keeps for a customer who comes back, and for nobody else."""

import re
from collections.abc import Callable

from kassa_sdk.conformance.exam import Exam, described, reached
from kassa_sdk.conformance.verdicts import does_not_apply, not_proven, not_reached, proves, violation
from kassa_sdk.records import JsonObject
from kassa_sdk.saved_methods import AccountHolder, Deleted, SavedPaymentMethod, SavedPaymentMethods

_A_CARD_NUMBER = re.compile(r"\d(?:[ -]?\d){11,18}")


@proves("saved methods")
class SavedMethodChecks:
    """Registering a customer; keeping, listing and forgetting a payment method."""

    def test_a_customer_is_registered_once_however_often_it_is_asked(self, exam: Exam) -> None:
        _requires_account_holders(exam)
        exam.native_keys()
        key = exam.key()
        first, again = exam.register(key), exam.register(key)
        if first != again or not isinstance(first, AccountHolder):
            violation(
                f"create_account_holder with the same key gave first {described(first)}, then {described(again)}",
                "a repetition with the same key is answered as the first time: one customer, one account",
            )

    def test_a_saved_method_is_listed(self, exam: Exam) -> None:
        holder = _holder(exam)
        saved = exam.save(holder, _script(exam)())
        if not isinstance(saved, SavedPaymentMethod):
            violation(f"save_payment_method ended in {described(saved)}", "what the storefront was given is kept")
        if not _is_listed(exam, holder, saved):
            violation(
                f"{saved.provider_reference} was saved, and is not listed", "the list has everything that is kept"
            )

    def test_a_deleted_method_is_gone_and_can_be_deleted_again(self, exam: Exam) -> None:
        holder, saved = _kept(exam)
        for time in ("first", "second"):
            deleted = exam.forget(holder, saved.provider_reference)
            if not isinstance(deleted, Deleted):
                violation(
                    f"delete_payment_method ended the {time} time in {described(deleted)}",
                    "it returns Deleted, also for what is gone already: after a lost answer it is asked again",
                )
            if _is_listed(exam, holder, saved):
                violation("a payment method was deleted, and is listed", "what is deleted is gone")

    def test_a_saved_method_is_nobody_elses(self, exam: Exam) -> None:
        (holder, saved), stranger = _kept(exam), _holder(exam)
        if _is_listed(exam, stranger, saved):
            violation("the payment method of one customer is listed for another", "a list is of one account holder")
        deleted = exam.forget(stranger, saved.provider_reference)
        if not _is_listed(exam, holder, saved):
            violation(
                f"the payment method of one customer was deleted in the name of another ({described(deleted)})",
                "a payment method is deleted for its own account holder alone",
            )

    def test_a_label_can_be_shown(self, exam: Exam) -> None:
        _, saved = _kept(exam)
        if not saved.label.strip() or _A_CARD_NUMBER.search(saved.label):
            violation(
                "the label of a saved payment method is empty, or holds the number of a card",
                'a label is fit to be shown, such as "Visa ending 4242"',
            )

    def test_nothing_is_saved_where_the_manifest_says_no(self, exam: Exam) -> None:
        if exam.manifest.account_holders:
            does_not_apply("the manifest says account_holders=True")
        if isinstance(outcome := exam.register(), AccountHolder):
            violation(
                f"create_account_holder, which the manifest does not list, ended in {described(outcome)}",
                "what is declared as no is refused: the engine and the shops believe the manifest",
                "account_holders=True",
            )


def _requires_account_holders(exam: Exam) -> None:
    if not exam.manifest.account_holders:
        does_not_apply("the manifest says account_holders=False")


def _script(exam: Exam) -> Callable[[], JsonObject]:
    if exam.candidate.saved_method is None:
        not_proven("the exam was not told what the provider's script gives to the storefront (saved_method=…)")
    return exam.candidate.saved_method


def _holder(exam: Exam) -> str:
    _requires_account_holders(exam)
    _script(exam)  # before anything is asked that would prove nothing
    return reached(AccountHolder, "create_account_holder", exam.register()).provider_reference


def _kept(exam: Exam) -> tuple[str, SavedPaymentMethod]:
    """A payment method that is saved and listed, and whose it is."""
    holder = _holder(exam)
    saved = reached(SavedPaymentMethod, "save_payment_method", exam.save(holder, _script(exam)()))
    if not _is_listed(exam, holder, saved):
        not_reached("list_payment_methods", "a list without what was saved")
    return holder, saved


def _is_listed(exam: Exam, holder: str, saved: SavedPaymentMethod) -> bool:
    listed = reached(SavedPaymentMethods, "list_payment_methods", exam.saved(holder))
    return saved.provider_reference in [method.provider_reference for method in listed.methods]
