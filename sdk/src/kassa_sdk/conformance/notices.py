"""Checks of notices: what is proven to come from the provider is read, and nothing else."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import BaseModel, SecretStr

from kassa_sdk.conformance.candidate import SentNotices
from kassa_sdk.conformance.exam import Exam
from kassa_sdk.conformance.verdicts import does_not_apply, not_proven, proves, violation
from kassa_sdk.errors import BadSignature, ProviderError
from kassa_sdk.notices import Notice
from kassa_sdk.requests import RawNotice

_UNHEARD_OF = b'{"id": "evt_exam", "type": "exam.never_heard_of", "data": {"object": {}}}'


@proves("notices")
class NoticeChecks:
    """Webhooks, true and forged."""

    def test_the_servers_own_notices_are_read(self, exam: Exam) -> None:
        sent = _notices(exam)
        payment = exam.captured()
        about = [notice for raw in sent.about(payment.provider_reference) for notice in _read(exam, raw)]
        mine = [notice for notice in about if notice.provider_reference == payment.provider_reference]
        if not mine:
            violation(
                f"of the server's {len(about)} notices, none was read as one about {payment.provider_reference}",
                "read_notice says which payment a notice is about",
            )
        if exam.manifest.notices == "id_only" and any(notice.facts is not None for notice in mine):
            violation(
                "a notice was read with facts",
                "a notice that says only which payment to look up has none",
                'notices="signed"',
            )
        told = [notice.facts.captured for notice in mine if notice.facts and notice.facts.captured is not None]
        if told and exam.candidate.books is not None and max(told) != exam.books(payment).captured:
            violation(
                f"the notices say that {max(told)} was captured, the server's books say {exam.books(payment).captured}",
                "a notice tells cumulative totals, the ones that the server means",
            )

    def test_a_notice_that_was_changed_on_the_way_is_refused(self, exam: Exam) -> None:
        raw = _sent(exam)[0]
        digits = [match.start() for match in re.finditer(rb"[0-9]", raw.body)] or list(range(len(raw.body)))
        for position in digits[:: max(1, len(digits) // 20)]:
            changed = b"1" if raw.body[position : position + 1] != b"1" else b"2"
            body = raw.body[:position] + changed + raw.body[position + 1 :]
            _refused(exam, raw.model_copy(update={"body": body}), "a notice with one byte changed")

    def test_a_notice_without_a_signature_is_refused(self, exam: Exam) -> None:
        raw = _sent(exam)[0]
        _refused(exam, raw.model_copy(update={"headers": {}}), "a notice without any header")

    def test_a_notice_of_another_account_is_refused(self, exam: Exam) -> None:
        raw = _sent(exam)[0]
        exam.provider = exam.with_options(_with_other_secrets(exam.options))
        _refused(exam, raw, "a notice that was signed with the secret of another account")

    def test_an_old_notice_is_refused(self, exam: Exam) -> None:
        raw = _sent(exam)[0]
        if exam.candidate.notices is not None and not exam.candidate.notices.are_dated:
            not_proven("the provider's signatures cover no time, so an old notice cannot be told")
        late = raw.model_copy(update={"received_at": raw.received_at + timedelta(days=1)})
        _refused(exam, late, "a notice that was signed a day before it came in")

    def test_the_same_notices_say_the_same_in_any_order(self, exam: Exam) -> None:
        sent = _sent(exam)
        first = [_read(exam, raw) for raw in sent]
        second = [_read(exam, raw) for raw in reversed(sent)]
        if first != second[::-1]:
            violation(
                "the same notices, read a second time and in another order, say something else",
                "notices are repeated and come in any order; they tell totals, and reading one remembers nothing",
            )

    @pytest.mark.parametrize("body", [_UNHEARD_OF, b"{}", b"\xff\x00"], ids=["unheard of", "empty", "no text"])
    def test_a_signed_notice_that_makes_no_sense_tells_nothing(self, exam: Exam, body: bytes) -> None:
        notices = _notices(exam)
        if notices.sign is None:
            not_proven("the exam was not given how to sign a notice (SentNotices.sign)")
        read = exam.read_notice(notices.sign(body, datetime.now(UTC)))
        if isinstance(read, Exception) and not isinstance(read, ProviderError):
            violation(
                f"a correctly signed notice with the body {body!r} raised {type(read).__name__}",
                "return () for what is not about payments, raise ProviderError for what makes no sense: "
                "a sentence for those who operate, and no stumbling",
            )
        if not isinstance(read, Exception) and any(notice.facts is not None for notice in read):
            violation(f"facts were read from the body {body!r}", "what a notice does not say is not made up")

    def test_notices_are_refused_where_the_manifest_has_none(self, exam: Exam) -> None:
        if exam.manifest.notices != "none":
            does_not_apply("the manifest lists notices")
        read = exam.read_notice(RawNotice(body=_UNHEARD_OF, headers={}, received_at=datetime.now(UTC)))
        if not isinstance(read, Exception):
            violation(
                "a notice was read, and the manifest lists none",
                "what is declared as no is refused",
                'notices="signed"',
            )


def _notices(exam: Exam) -> SentNotices:
    if exam.manifest.notices == "none":
        does_not_apply("the manifest lists no notices")
    if exam.candidate.notices is None:
        not_proven("the exam was given no notices of the server")
    return exam.candidate.notices


def _sent(exam: Exam) -> list[RawNotice]:
    notices = _notices(exam)
    sent = list(notices.about(exam.captured().provider_reference))
    if not sent:
        not_proven("the server sent no notice about the payment")
    return sent


def _read(exam: Exam, raw: RawNotice) -> tuple[Notice, ...]:
    read = exam.read_notice(raw)
    if isinstance(read, Exception):
        violation(
            f"a notice that the server itself had signed raised {type(read).__name__}: {read}",
            "what is correctly signed is read; check which bytes are signed, and with which secret",
        )
    return read


def _refused(exam: Exam, raw: RawNotice, what: str) -> None:
    if not isinstance(read := exam.read_notice(raw), BadSignature):
        did = f"raised {type(read).__name__}" if isinstance(read, Exception) else f"was read: {read!r}"
        violation(
            f"{what} {did}",
            "read_notice raises BadSignature unless the raw bytes are proven to come from the provider, and just now",
        )


def _with_other_secrets(options: BaseModel) -> BaseModel:
    changed = {name: _other(getattr(options, name)) for name in type(options).model_fields}
    return options.model_copy(update=changed)


def _other(value: object) -> object:
    """The same value with other secrets in it, which are of the same form: in the middle they differ by one character."""
    if isinstance(value, SecretStr) and value.get_secret_value():
        secret = value.get_secret_value()
        middle = next((at for at in range(len(secret) // 2, len(secret)) if secret[at].isalnum()), 0)
        return SecretStr(secret[:middle] + ("a" if secret[middle : middle + 1] != "a" else "b") + secret[middle + 1 :])
    if isinstance(value, BaseModel):
        return _with_other_secrets(value)
    if isinstance(value, dict):
        return {name: _other(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(map(_other, value))
    return value
