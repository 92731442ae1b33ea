"""The verbs of the switches: an operator takes a provider out of what is offered, at once and for every process.

A switch is data, not configuration: it is read in the transaction that creates a session, and once ``switch_off`` has
returned, no session with that provider begins.  What is under way goes on.
"""

from collections.abc import Callable

from sqlalchemy import Connection

from kassa.errors import InvalidData, NotAllowed
from kassa.ids import Kind, new_id
from kassa.model import ProviderSwitch
from kassa.store import events, switches
from kassa.world import World
from kassa_sdk import JsonObject, Record

LONGEST_NAME = 255


class Turn(Record):
    """Which switch is turned, by whom and why; ``region_id`` None is everywhere."""

    provider_id: str
    region_id: str | None
    who: str
    why: str


def switch_off(world: World, turn: Turn) -> ProviderSwitch:
    """Switch a provider off.  The same again, with the same reason, changes nothing.

    Raises InvalidData, NotFound, NotAllowed.
    """
    turn = _examined(turn)
    provider_id = world.providers.find(turn.provider_id).id
    if turn.region_id is not None:
        _refuse_not_enabled(world, provider_id, turn.region_id)
    return _turned(world, lambda connection: _off(world, connection, provider_id, turn))


def switch_on(world: World, turn: Turn) -> ProviderSwitch:
    """Switch a provider on again, also one that is not configured any more.  Raises InvalidData, NotFound, NotAllowed."""
    turn = _examined(turn)
    known = {provider.instance: provider.id for provider in world.providers.values()}
    provider_id = known.get(turn.provider_id, turn.provider_id)
    return _turned(world, lambda connection: _on(world, connection, provider_id, turn))


def page(world: World, limit: int, offset: int) -> tuple[ProviderSwitch, ...]:
    """A page of all switches: what is off first, then the newest."""
    return world.database.read(lambda connection: switches.page(connection, limit, offset))


def _examined(turn: Turn) -> Turn:
    for field, text in (("who", turn.who), ("why", turn.why)):
        if not text.strip():
            raise InvalidData(field, "expected some words: a switch is kept with who turned it, and why")
    if len(turn.who) > LONGEST_NAME:
        raise InvalidData("who", f"expected at most {LONGEST_NAME} characters")
    return turn.model_copy(update={"who": turn.who.strip(), "why": turn.why.strip()})


def _refuse_not_enabled(world: World, provider_id: str, region_id: str) -> None:
    """Somebody in a hurry must not believe that a slip of the pen has switched something off."""
    region = world.region(region_id)
    if provider_id not in region.provider_ids:
        raise NotAllowed(
            f"provider_id: {provider_id} is not enabled in region {region.id}; it enables {', '.join(region.provider_ids)}"
        )


def _turned(world: World, turn: Callable[[Connection], ProviderSwitch]) -> ProviderSwitch:
    def locked(connection: Connection) -> ProviderSwitch:
        switches.lock(connection)
        return turn(connection)

    return world.database.transact(locked)


def _off(world: World, connection: Connection, provider_id: str, turn: Turn) -> ProviderSwitch:
    standing = switches.find(connection, provider_id, turn.region_id)
    if standing is not None:
        if standing.reason != turn.why:
            raise NotAllowed(
                f"{provider_id} is switched off {standing.where} already, by {standing.off_by} "
                f"at {standing.off_at:%Y-%m-%d %H:%M:%S} UTC: {standing.reason}; that stays the reason"
            )
        return standing
    switch = ProviderSwitch(
        id=new_id(Kind.PROVIDER_SWITCH),
        provider_id=provider_id,
        region_id=turn.region_id,
        reason=turn.why,
        off_by=turn.who,
        off_at=world.clock(),
    )
    switches.add(connection, switch)
    _tell(world, connection, switch, "switched_off", turn)
    return switch


def _on(world: World, connection: Connection, provider_id: str, turn: Turn) -> ProviderSwitch:
    standing = switches.find(connection, provider_id, turn.region_id)
    if standing is None:
        raise _nothing_to_switch_on(world, connection, provider_id, turn.region_id)
    switch = standing.model_copy(update={"on_by": turn.who, "on_at": world.clock(), "on_why": turn.why})
    switches.switch_on(connection, switch)
    _tell(world, connection, switch, "switched_on", turn)
    return switch


def _nothing_to_switch_on(world: World, connection: Connection, provider_id: str, region_id: str | None) -> NotAllowed:
    """Raises NotFound where the provider or the region is not there at all."""
    off = [each.where for each in switches.in_force(connection) if each.provider_id == provider_id]
    if not off:
        world.providers.find(provider_id)
    if region_id is not None:
        world.region(region_id)
    where = "everywhere" if region_id is None else f"in region {region_id}"
    elsewhere = f"; it is switched off {' and '.join(off)}" if off else ""
    return NotAllowed(f"{provider_id} is not switched off {where}{elsewhere}")


def _tell(world: World, connection: Connection, switch: ProviderSwitch, what: str, turn: Turn) -> None:
    data: JsonObject = {
        "provider_id": switch.provider_id,
        "region_id": switch.region_id,
        "who": turn.who,
        "why": turn.why,
    }
    events.append(connection, world.store_id, None, f"kassa.provider.{what}", switch.id, world.clock(), data)
