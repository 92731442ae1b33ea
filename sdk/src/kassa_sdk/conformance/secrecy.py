"""Checks of secrets: what stands in the options as one is seen nowhere else."""

import logging
import re
from datetime import UTC, datetime

from pydantic import ValidationError

from kassa_sdk.conformance.exam import Exam, secrets_in
from kassa_sdk.conformance.fault_proxy import Fault, address_where_nobody_listens
from kassa_sdk.conformance.verdicts import does_not_apply, not_proven, proves, violation
from kassa_sdk.outcomes import ActionRequired
from kassa_sdk.records import JsonObject
from kassa_sdk.requests import RawNotice
from kassa_sdk.saved_methods import AccountHolder, SavedPaymentMethod

SHORTEST_CANARY = 8
_SOUNDS_SECRET = re.compile(r"(secret|password|token|private|api_?key)", re.IGNORECASE)
_SOUNDS_PUBLIC = re.compile(r"(public|publishable)", re.IGNORECASE)


@proves("secrets")
class SecretChecks:
    """Canaries: the secrets of the exam must not sing."""

    def test_no_secret_is_seen_outside_of_the_options(self, exam: Exam) -> None:
        _tour(exam)
        _is_silent(exam, exam.heard.outcomes, "an outcome, which is stored, and of which the storefront sees the data,")
        _is_silent(exam, exam.heard.errors, "what the provider raised, traceback included,")
        written = [logging.Formatter().format(record) for record in exam.heard.log]
        _is_silent(exam, written, "the log, at its most detailed level,")

    def test_options_with_a_name_like_a_secret_are_secret(self, exam: Exam) -> None:
        open_ones = [
            name
            for name in type(exam.options).model_fields
            if isinstance(getattr(exam.options, name), str)
            and _SOUNDS_SECRET.search(name)
            and not _SOUNDS_PUBLIC.search(name)
        ]
        if open_ones:
            violation(
                f"the options {open_ones} are plain text",
                "secrets are SecretStr: then kassa takes them from the environment, and out of every cause and log",
            )

    def test_an_option_that_nobody_knows_is_refused(self, exam: Exam) -> None:
        url = exam.proxy.url if exam.proxy is not None else ""
        try:
            type(exam.options).model_validate({**exam.candidate.options(url), "an_option_that_nobody_knows": 1})
        except ValidationError:
            return
        violation(
            "an option that does not exist was accepted",
            'Options has extra="forbid", so that a misspelt option is not lost silently',
        )


def _tour(exam: Exam) -> None:
    """Everything once, and everything that goes wrong."""
    if not exam.secrets():
        does_not_apply("the options hold no secret")
    if too_short := [secret for secret in exam.secrets() if len(secret) < SHORTEST_CANARY]:
        not_proven(
            f"{len(too_short)} secrets of the exam are shorter than {SHORTEST_CANARY}: they stand anywhere by accident"
        )
    payment = exam.captured()
    exam.refund(payment)
    exam.cancel(payment)
    exam.look_up(payment)
    scenarios = exam.candidate.scenarios
    for scenario in filter(None, (scenarios.decline, scenarios.action, scenarios.pending)):
        waiting = exam.initiated(scenario)
        if isinstance(exam.authorize(waiting), ActionRequired):
            exam.action(waiting)
    if exam.manifest.account_holders and exam.candidate.saved_method is not None:
        _save_and_forget(exam, exam.candidate.saved_method())
    if exam.proxy is not None:
        for fault in Fault:
            broken = exam.initiated()
            with exam.proxy.going_wrong(fault):
                exam.authorize(broken)
                exam.cancel(broken)
        exam.at(address_where_nobody_listens()).authorize(payment)
    if exam.manifest.notices != "none":
        _forged_notices(exam, payment.provider_reference)


def _save_and_forget(exam: Exam, data: JsonObject) -> None:
    if isinstance(holder := exam.register(), AccountHolder):
        saved = exam.save(holder.provider_reference, data)
        exam.saved(holder.provider_reference)
        if isinstance(saved, SavedPaymentMethod):
            exam.forget(holder.provider_reference, saved.provider_reference)


def _forged_notices(exam: Exam, reference: str) -> None:
    sent = exam.candidate.notices.about(reference)[:1] if exam.candidate.notices is not None else ()
    for raw in (*sent, RawNotice(body=b"{}", headers={}, received_at=datetime.now(UTC))):
        exam.read_notice(raw)
        exam.read_notice(raw.model_copy(update={"body": raw.body + b" "}))


def _is_silent(exam: Exam, texts: list[str], where: str) -> None:
    for secret in exam.secrets():
        if any(secret in text for text in texts):
            name = next(name for name in type(exam.options).model_fields if secret in _revealed(exam, name))
            violation(
                f"{where} holds the secret of the option {name}", "secrets are seen nowhere outside of the options"
            )


def _revealed(exam: Exam, name: str) -> list[str]:
    return list(secrets_in(getattr(exam.options, name)))
