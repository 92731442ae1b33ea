"""The application: routers, limits and errors put together around one engine."""

from fastapi import FastAPI

from kassa.engine import Engine
from kassa.http import admin, errors, hooks, store
from kassa.http.body_limit import BodyLimit
from kassa.http.origins import StorefrontOrigins


def create_app(engine: Engine) -> FastAPI:
    """An ASGI application that answers for every store of this engine; serve it, or mount it in one of your own."""
    app = FastAPI(title="kassa", docs_url=None, redoc_url=None, separate_input_output_schemas=False)
    app.state.engine = engine
    app.add_middleware(BodyLimit)
    app.add_middleware(StorefrontOrigins, engine=engine)
    errors.install(app)
    for router in (store.router, admin.router, hooks.router):
        app.include_router(router, responses=errors.TOLD)
    return app
