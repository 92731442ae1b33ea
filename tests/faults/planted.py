"""Planted bugs: the mistakes that payment code is known for, each as a small patch of the real code.

Whether the suite catches them is tried by ``catching.py``.  Here is only what they are.
"""

from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).parents[2] / "core" / "src"


class Misplanted(Exception):
    """A patch does not fit the code as it stands.  The message names the bug: plant it anew, or it proves nothing."""


@dataclass(frozen=True)
class Edit:
    """In this file of the package stands this text, exactly once; the other one is planted in its place."""

    file: str
    stands: str
    planted: str


@dataclass(frozen=True)
class Bug:
    """One mistake, whole: the code with it runs, and looks as if it worked.

    ``layer`` and ``only`` say where it is looked for first, as ``--layers`` and ``--only`` do.  What catches it is a check
    that judges the real code alike, never an accident that follows from the patch; ``refusal`` is set where our own code
    refuses to go on with the mistake, and that is the catch.
    """

    name: str
    edits: tuple[Edit, ...]
    only: str
    layer: str = "crashes"
    refusal: str | None = None


def patched(bug: Bug, sources: Path = SOURCES) -> dict[str, str]:
    """The files that are other ones with this bug, and what then stands in them.  Raises Misplanted."""
    files: dict[str, str] = {}
    for edit in bug.edits:
        text = files.get(edit.file) or (sources / "kassa" / edit.file).read_text(encoding="utf-8")
        if text.count(edit.stands) != 1:
            raise Misplanted(
                f"{bug.name!r} cannot be planted: core/src/kassa/{edit.file} has this {text.count(edit.stands)} times, "
                f"expected once; say in tests/faults/planted.py what stands there now:\n{edit.stands}"
            )
        files[edit.file] = text.replace(edit.stands, edit.planted)
    return files


def plant(bug: Bug, folder: Path) -> None:
    """Plant it in this copy of the sources.  Raises Misplanted."""
    for name, text in patched(bug, folder).items():
        (folder / "kassa" / name).write_text(text, encoding="utf-8")


_IMPORTS_EVIDENCE = Edit(
    "settlement.py", "from kassa import idempotency, intents\n", "from kassa import evidence, idempotency, intents\n"
)
_SENDS = "    settled, outcome = finish(world, step)\n"
_STORES_INTENT = "    return idempotency.add(connection, operation, asked)\n"

BUGS = (
    Bug(
        "fresh key per retry",
        (
            Edit(
                "recovery.py",
                "    again = intents.resend(operation, world.clock())\n",
                """\
    again = intents.continuation(
        operation,
        operation.hook,
        lambda key: intents.request_of(operation).model_copy(update={"attempt_key": key}),
        world.clock(),
    )
""",
            ),
        ),
        only="capture a part",
    ),
    Bug(
        "client retry calls again while unknown, under its key",
        (
            Edit(
                "answers.py",
                "        return isinstance(self.answer, NotReached)\n",
                "        return self.answer is None or isinstance(self.answer, NotReached)\n",
            ),
        ),
        only="refund with a key",
    ),
    Bug(
        "client retry calls again while unknown, without a key",
        (
            Edit(
                "settlement.py",
                "        _refuse_another_try(settling, operation)\n",
                "        pass\n",
            ),
        ),
        only="refund a part",
    ),
    Bug(
        "resend after the key window",
        (
            Edit(
                "doubt.py",
                "    return now < operation.first_sent_at + window * (1 - KEY_WINDOW_MARGIN)\n",
                "    return True\n",
            ),
        ),
        only="recover a day later",
    ),
    Bug(
        "auto-resend to a provider without keys",
        (
            Edit(
                "doubt.py",
                """\
    if window is None or operation.first_sent_at is None:
        return False
""",
                """\
    if window is None or operation.first_sent_at is None:
        return operation.first_sent_at is not None
""",
            ),
        ),
        only="refund a part",
    ),
    Bug(
        "call before the intent row",
        (
            _IMPORTS_EVIDENCE,
            Edit("settlement.py", _STORES_INTENT, "    return operation\n"),
            Edit(
                "settlement.py",
                _SENDS,
                """\
    outcome = world.providers.find(step.provider_id).call(step.hook, intents.request_of(step))

    def keep(connection: Connection) -> Operation:
        return evidence.apply(connection, idempotency.add(connection, step, asked), outcome, world.clock())

    settled = world.database.transact(keep)
""",
            ),
        ),
        only="capture a part",
    ),
    Bug(
        "event in a later transaction",
        (
            Edit("store/events.py", "_INSERT = insert(events)\n", "_INSERT = insert(events)\nLATER = []\n"),
            Edit(
                "store/events.py",
                """\
    connection.execute(
        _INSERT,
        {
""",
                """\
    LATER.append(
        {
""",
            ),
            Edit(
                "store/database.py",
                "        return self._backend.transact(work)\n",
                """\
        from kassa.store import events

        done = self._backend.transact(work)
        later, events.LATER[:] = events.LATER[:], []
        if later:
            self._backend.transact(lambda connection: connection.execute(events._INSERT, later))
        return done
""",
            ),
        ),
        only="refund a part",
    ),
    Bug(
        "not-found means failed",
        (
            Edit(
                "recovery.py",
                """\
        case NotThere():
            pass
""",
                """\
        case NotThere():
            gone = Declined(code="not_found", reason="the provider does not have it")
            return evidence.apply(connection, operation, gone, world.clock())
""",
            ),
        ),
        only="capture what is not found at first",
    ),
    Bug(
        "retries exhausted means failed",
        (
            Edit(
                "recovery.py",
                "lambda connection: evidence.review(connection, operation, cause, world.clock())",
                """lambda connection: evidence.apply(
            connection, operation, Declined(code="exhausted", reason=cause), world.clock()
        )""",
            ),
        ),
        only="recover what nobody can find out",
    ),
    Bug(
        "timeout means failed",
        (
            Edit(
                "evidence.py",
                "            return scene.move(OperationStatus.UNKNOWN, outcome.cause, due_at=now)\n",
                "            return _failed(scene, outcome.cause)\n",
            ),
        ),
        only="complete, approved",
    ),
    Bug(
        # The evidence is merged into the operation as it was when it was sent, and nothing asks what became of it since.
        "last writer wins",
        (
            Edit(
                "evidence.py",
                "operation=operations.lock(connection, operation.store_id, operation.id),",
                "operation=operation,",
            ),
            Edit(
                "store/operations.py",
                """\
    .where(*_OWN, table.c.status == bindparam("current"), table.c.generation == bindparam("holder"))
    .values(
        status=bindparam("following"),
""",
                """\
    .where(*_OWN)
    .values(
        status=bindparam("following"),
""",
            ),
            Edit(
                "store/migrations/triggers.py",
                '    condition = f"OLD.status <> NEW.status AND ',
                '    condition = f"OLD.status IS NULL AND ',
            ),
        ),
        only="",
        layer="notices",
    ),
    Bug(
        "reservation released on timeout",
        (
            Edit(
                "evidence.py",
                "            return scene.move(OperationStatus.UNKNOWN, outcome.cause, due_at=now)\n",
                """\
            _release(scene)
            return scene.move(OperationStatus.UNKNOWN, outcome.cause, due_at=now)
""",
            ),
        ),
        only="capture a part",
    ),
    Bug(
        # What is left is read, and then the refund is stored, with nothing between the two that keeps others away.
        "check-then-insert of a refund",
        (
            Edit(
                "store/payments.py",
                ".where(*_OWN, table.c.refunded_minor + table.c.refunding_minor + _MINOR <= table.c.captured_minor)",
                ".where(*_OWN)",
            ),
            Edit(
                "settlement.py",
                """\
    step = idempotency.transact(world, asked, lambda connection: _planned(world, connection, payment_id, plan, asked))
""",
                """\
    seen = world.database.read(lambda connection: payments.load(connection, world.store_id, payment_id))
    step = idempotency.transact(world, asked, lambda connection: _planned(world, connection, seen, plan, asked))
""",
            ),
            Edit(
                "settlement.py",
                """\
    world: World, connection: Connection, payment_id: str, plan: _Plan, asked: ClientRequest | None
""",
                """\
    world: World, connection: Connection, payment: Payment, plan: _Plan, asked: ClientRequest | None
""",
            ),
            Edit(
                "settlement.py",
                """\
    collection = collections.lock_of_payment(connection, world.store_id, payment_id)
""",
                """\
    collection = collections.lock(connection, world.store_id, payment.payment_collection_id)
""",
            ),
            Edit(
                "settlement.py",
                """\
    payment = collection.payment(payment_id)
    session = collection.session(payment.payment_session_id)
""",
                """\
    session = collection.session(payment.payment_session_id)
""",
            ),
        ),
        only="refund and refund",
        layer="races",
    ),
    Bug(
        "new session while the old one is in doubt",
        (
            Edit(
                "closing.py",
                """\
    refuse_hindered(world, connection, live, OperationKind.CANCEL)
    if live.provider_reference is None:
""",
                """\
    if live.provider_reference is None or operations.open_of_session(connection, live.store_id, live.id):
""",
            ),
        ),
        only="replace a session in doubt",
    ),
    Bug(
        "call inside the transaction",
        (
            _IMPORTS_EVIDENCE,
            Edit("providers.py", '        refuse_inside_transaction(f"hook {hook} of {self.id}")\n', ""),
            Edit(
                "settlement.py",
                _STORES_INTENT,
                """\
    stored = idempotency.add(connection, operation, asked)
    return evidence.apply(
        connection, stored, provider.call(stored.hook, intents.request_of(stored)), world.clock()
    )
""",
            ),
            Edit("settlement.py", _SENDS, "    settled, outcome = step, None\n"),
        ),
        only="capture a part",
    ),
    Bug(
        # The intent is committed before: nothing gets lost.  But all others wait for this provider, until it answers or
        # for ever, and of that the books know nothing; our own seam is what catches it.
        "call inside the second transaction",
        (
            _IMPORTS_EVIDENCE,
            Edit(
                "settlement.py",
                _SENDS,
                """\
    def send(connection: Connection) -> Operation:
        outcome = world.providers.find(step.provider_id).call(step.hook, intents.request_of(step))
        return evidence.apply(connection, step, outcome, world.clock())

    settled, outcome = world.database.transact(send), None
""",
            ),
        ),
        only="capture a part",
        refusal="was called inside a database transaction",
    ),
    Bug(
        # It waits in memory until the worker comes.
        "notice acknowledged before stored",
        (
            Edit(
                "notices.py",
                "    try:\n        return world.database.transact(lambda connection: _stored(connection, told))\n",
                "    try:\n        _WAITING.extend(told)\n        return tuple(told)\n",
            ),
            Edit(
                "notices.py",
                """\
    now = world.clock()
    if not world.database.read(lambda connection: notices.is_any_due(""",
                """\
    told, _WAITING[:] = _WAITING[:], []
    world.database.transact(lambda connection: _stored(connection, told))
    now = world.clock()
    if not world.database.read(lambda connection: notices.is_any_due(""",
            ),
            Edit("notices.py", "BATCH = 20\n", "BATCH = 20\n_WAITING: list[ReceivedNotice] = []\n"),
        ),
        only="receive a notice",
    ),
    Bug(
        "dedupe marker committed before the work",
        (
            Edit(
                "notices.py",
                """\
        return notices.move(connection, notice, NoticeStatus.APPLIED, world.clock(), cause=cause)

    return world.database.transact(learn)
""",
                """\
        return marked.model_copy(update={"cause": cause})

    marked = _moved(world, notice, NoticeStatus.APPLIED, "it is being applied")
    return world.database.transact(learn)
""",
            ),
        ),
        only="apply a notice of a capture elsewhere",
    ),
    Bug(
        "the client is told failed while nobody knows",
        (
            Edit(
                "protocol.py",
                """    if operation.status is not OperationStatus.FAILED:
        raise still_processing(operation)
""",
                """    if operation.status not in (OperationStatus.FAILED, OperationStatus.UNKNOWN):
        raise still_processing(operation)
""",
            ),
        ),
        only="",
        layer="stories",
    ),
)
"""All of them, in the order in which they are reported."""
