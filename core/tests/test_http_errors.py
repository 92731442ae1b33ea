"""Errors on the wire: every class of them is told as something, and what is inside stays inside."""

import inspect

import pytest

from kassa import errors
from kassa.http import errors as http_errors
from kassa.http.errors import ANSWERS, TOLD, answer_to

CLASSES = [
    each
    for module in (errors, http_errors)
    for _, each in inspect.getmembers(module, inspect.isclass)
    if issubclass(each, errors.KassaError)
]
NEVER_WHILE_SERVING = {errors.ConfigurationError, errors.PluginUnusable}


@pytest.mark.parametrize("error", sorted(set(CLASSES) - NEVER_WHILE_SERVING, key=lambda each: each.__name__))
def test_every_class_of_errors_is_told_as_something_that_the_description_says(error: type[errors.KassaError]) -> None:
    told = answer_to(error.__new__(error))
    assert told.status in TOLD
    is_ours = issubclass(error, errors.InternalError)
    assert is_ours == (told.status in (500, 503)) or error is errors.ProviderUnavailable or error is errors.KassaError


def test_a_class_that_is_not_in_the_table_is_told_as_its_parent() -> None:
    class Another(errors.Conflict):
        """Made up here."""

    assert answer_to(Another("x")) == ANSWERS[errors.Conflict]


def test_no_error_says_failed_while_nobody_knows() -> None:
    assert answer_to(errors.StillProcessing("op_1", "under way")).status == 409
