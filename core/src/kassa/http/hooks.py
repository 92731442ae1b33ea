"""What providers send: verified, stored once, committed, and only then acknowledged."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.concurrency import run_in_threadpool
from starlette.requests import Request

from kassa.engine import Engine
from kassa.http import answers
from kassa.http.access import engine_of
from kassa.http.exact import ExactResponse

router = APIRouter(prefix="/hooks", tags=["hooks"], default_response_class=ExactResponse)

_PREFIX = "pp_"


@router.post("/payment/{provider_id}", response_model=answers.NoticesTaken)
async def receive_notice(request: Request, engine: Annotated[Engine, Depends(engine_of)], provider_id: str) -> Any:
    """Take a message of a provider, named ``stripe_stripe`` or ``pp_stripe_stripe``.

    200 means that it is kept, and will be applied.  401: it is not proven to come from the provider.  Any other answer asks
    the provider to send it again.
    """
    body = await request.body()
    whole = provider_id if provider_id.startswith(_PREFIX) else f"{_PREFIX}{provider_id}"
    taken = await run_in_threadpool(engine.receive_notice, whole, body, dict(request.headers))
    return ExactResponse({"received": len(taken)})
