"""
The UI, for this machine alone: Dagster's web app behind a guard, the reports beside it, and the daemon.

Dagster's web server does not check who asks: it answers under any host name, takes mutations over GET, and opens
websockets for any page. So any web page in a browser on this machine could start runs, by a form or by DNS rebinding.
The guard answers only to the server's own two host names, and accepts a change only as a POST of JSON with the server's
own origin.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.settings import data_dir, project_root

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")
REPORTS = "/reports"
LOOKED_AT = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; sandbox"
"""Content security policy of a report: no script, no form, nothing fetched."""


class PortTaken(OSError):
    """The port cannot be used; the message says what to do."""


def take_port(port: int) -> socket.socket:
    """A socket that listens on 127.0.0.1; port 0 takes any free port. Raises `PortTaken`."""
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((HOST, port))
        door.listen()
    except OSError as problem:
        door.close()
        raise PortTaken(
            f"Port {port} of {HOST} cannot be used: {os.strerror(problem.errno)}."
            f" Stop what is there, or take another: scorecast ui --port {port + 1}."
        ) from None
    return door


def serve(door: socket.socket) -> None:
    """Serve until Ctrl-C, or until the daemon that runs schedules and sensors ends."""
    import uvicorn
    from dagster import DagsterInstance, __version__
    from dagster._cli.proxy_server_manager import ProxyServerManager
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget
    from dagster_webserver.app import create_app_from_workspace_process_context

    os.environ["DAGSTER_IS_DEV_CLI"] = "1"
    # uvicorn raises the signal again after its shutdown; as an exception it also ends the other processes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    written = WorkspaceFileTarget(paths=[str(project_root() / "workspace.yaml")])
    with DagsterInstance.get() as instance, ProxyServerManager(instance, written, "warning") as definitions:
        workspace = data_dir() / "dagster" / "workspace.yaml"
        write_workspace(workspace, definitions.get_code_server_specs())
        shared = WorkspaceFileTarget(paths=[str(workspace)])
        with WorkspaceProcessContext(instance, version=__version__, workspace_load_target=shared) as context:
            app = create_app_from_workspace_process_context(context, live_data_poll_rate=2000)
            guarded = guard(app, door.getsockname()[1], data_dir() / "reports")
            server = uvicorn.Server(uvicorn.Config(guarded, log_level="warning", server_header=False))
            with daemon(workspace, server), suppress(KeyboardInterrupt):
                server.run(sockets=[door])


def write_workspace(path: Path, specs: object) -> None:
    """Write a workspace file that points the web server and the daemon at the one process with the definitions."""
    import yaml

    path.write_text(yaml.safe_dump({"load_from": specs}))


@contextmanager
def daemon(workspace: Path, server: object) -> Iterator[None]:
    """Dagster's daemon in a process of its own; the server stops when it ends."""
    process = subprocess.Popen([sys.executable, "-m", "dagster._daemon", "run", "--workspace", str(workspace)])

    def watch() -> None:
        process.wait()
        server.should_exit = True

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()


def guard(app: "ASGIApp", port: int, reports: Path) -> "ASGIApp":
    """
    `app` for pages of this server only, and the folder `reports` under /reports/, read-only.

    Refused, each with a sentence: a Host other than 127.0.0.1 or localhost with the port (403), a websocket or a change
    without this server's Origin (403), a change that is no POST of JSON (405, 415), GraphQL over GET (405).
    """
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.routing import Mount
    from starlette.staticfiles import StaticFiles

    hosts = [f"{name}:{port}" for name in NAMES]
    # In addition to Dagster's own policy: no picture from elsewhere is fetched, and no page may frame this one.
    pages = f"img-src 'self' data: blob:; connect-src 'self' {' '.join(f'ws://{host}' for host in hosts)}; "
    pages += "form-action 'self'; frame-ancestors 'none'"
    files = StaticFiles(directory=reports, html=True, check_dir=False)
    routes = [Mount(REPORTS, with_policy(files, LOOKED_AT)), Mount("/", with_policy(app, pages))]
    return Starlette(routes=routes, middleware=[Middleware(Guard, hosts=hosts)])


class Guard:
    """ASGI middleware that passes on every request that `refused` allows."""

    def __init__(self, app: "ASGIApp", hosts: Sequence[str]):
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a refused request, pass on any other."""
        from starlette.responses import PlainTextResponse
        from starlette.websockets import WebSocketClose

        refusal = None if scope["type"] == "lifespan" else refused(scope, self.hosts)
        if refusal is None:
            answer = self.app
        elif scope["type"] == "websocket":
            answer = WebSocketClose(1008, refusal[1])
        else:
            answer = PlainTextResponse(f"{refusal[1]}\n", refusal[0])
        await answer(scope, receive, send)


def refused(scope: "Scope", hosts: Sequence[str]) -> tuple[int, str] | None:
    """Status and sentence with which a request is refused; None if it is allowed."""

    def header(name: bytes) -> list[str]:
        return [value.decode("latin-1").strip().lower() for key, value in scope["headers"] if key == name]

    host = header(b"host")
    if len(host) != 1 or host[0] not in hosts:
        return 403, f"Scorecast's UI answers as {' and '.join(hosts)} only."
    is_read = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
    if not is_read and header(b"origin") != [f"http://{host[0]}"]:
        return 403, f"Only a page of http://{host[0]} itself may do this (header Origin)."
    if scope["type"] == "websocket":
        return None
    if is_read:
        asks = scope["path"].strip("/") == "graphql" and scope["query_string"]
        return (405, "GraphQL is asked by POST.") if asks else None
    if scope["method"] != "POST":
        return 405, "What changes something is a POST."
    kinds = [kind.partition(";")[0].strip() for kind in header(b"content-type")]
    return None if kinds == ["application/json"] else (415, "What changes something is a POST of application/json.")


def with_policy(app: "ASGIApp", policy: str) -> "ASGIApp":
    """`app` with a content security policy on its answers, which other sites may not embed."""
    from starlette.datastructures import MutableHeaders

    async def answered(scope: "Scope", receive: "Receive", send: "Send") -> None:
        async def sent(message: "Message") -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.append("Content-Security-Policy", policy)
                headers["Cross-Origin-Resource-Policy"] = "same-origin"
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        await app(scope, receive, sent)

    return answered
