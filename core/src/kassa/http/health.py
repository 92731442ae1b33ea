"""Whether the server runs, and whether it can work: for those who start and watch it.  It tells nothing of the shop."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from typing_extensions import TypedDict

from kassa.engine import Engine
from kassa.http.access import engine_of
from kassa.http.exact import ExactResponse

router = APIRouter(tags=["health"], default_response_class=ExactResponse)


class Health(TypedDict):
    """It is as it should be."""

    status: Literal["ok"]


@router.get("/health", response_model=Health)
async def health() -> Any:
    """The process answers."""
    return ExactResponse({"status": "ok"})


@router.get("/ready", response_model=Health)
def ready(engine: Annotated[Engine, Depends(engine_of)]) -> Any:
    """The process can take payments: its database answers, and is of this release.  Otherwise 503."""
    engine.require_database()
    return ExactResponse({"status": "ok"})
