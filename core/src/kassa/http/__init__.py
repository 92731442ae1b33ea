"""The HTTP edge: the store routes of Medusa, the admin routes, and the hooks that providers call."""

from kassa.http.app import create_app

__all__ = ["create_app"]
