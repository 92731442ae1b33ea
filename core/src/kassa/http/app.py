"""The application: routers, limits and errors put together around one engine."""

from fastapi import FastAPI

from kassa.engine import Engine
from kassa.http import admin, description, errors, health, hooks, operator, store
from kassa.http.body_limit import BodyLimit
from kassa.http.limits import Tries
from kassa.http.origins import StorefrontOrigins
from kassa.http.request_log import RequestLog


def create_app(engine: Engine) -> FastAPI:
    """An ASGI application that answers for every store of this engine; serve it, or mount it in one of your own."""
    app = FastAPI(
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # Where FastAPI has some of its own: its spans have the query, its logs what an accident quotes.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.engine = engine
    app.state.tries = Tries()
    app.add_middleware(BodyLimit)
    app.add_middleware(StorefrontOrigins, engine=engine)
    app.add_middleware(RequestLog)
    errors.install(app)
    description.install(app)
    for router in (store.router, admin.router, operator.router, hooks.router, health.router):
        app.include_router(router, responses=errors.TOLD)
    return app
