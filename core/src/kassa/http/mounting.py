"""Where a request leads to within this application, which may be mounted in another one."""

from starlette.types import Scope


def path_within(scope: Scope) -> str:
    """The path of a request, without the prefix under which the application is mounted."""
    path: str = scope["path"]
    prefix: str = scope.get("root_path", "")
    return path.removeprefix(prefix) if path.startswith(f"{prefix}/") else path
