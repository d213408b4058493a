"""The UI's door: a real server with Dagster's own app behind it, asked as its pages do and as strangers would."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import dagster as dg
import pytest
import uvicorn
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from dagster_webserver.app import create_app_from_workspace_process_context

from pipelines.commands.web import PortTaken, guard, take_port

JSON = {"Content-Type": "application/json"}
CSP = "Content-Security-Policy"


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    text: str


class Ui:
    """A server with one finished run, which a request may try to delete."""

    def __init__(self, port: int, instance: dg.DagsterInstance, reports: Path):
        self.port, self.instance, self.reports = port, instance, reports
        self.own = {"Host": f"127.0.0.1:{port}", "Origin": f"http://127.0.0.1:{port}"}

    def ask(self, method: str, path: str, headers: dict[str, str], body: str = "") -> Answer:
        """Exactly these headers, no others of a client's own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                connection.putheader(name, value)
            connection.endheaders(body.encode())
            answer = connection.getresponse()
            text = answer.read().decode() if answer.status != 101 else ""
            return Answer(answer.status, answer.headers, text)
        finally:
            connection.close()

    def new_run(self) -> str:
        @dg.job
        def job():
            return

        return job.execute_in_process(instance=self.instance).run_id

    def deletes(self, run: str) -> str:
        return f'mutation {{ deletePipelineRun(runId: "{run}") {{ __typename }} }}'


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    folder = tmp_path_factory.mktemp("ui")
    reports = folder / "data" / "reports"
    (reports / "raw").mkdir(parents=True)
    (reports / "raw" / "index.html").write_text("<title>what was loaded</title>")
    (folder / "data" / "secret.txt").write_text("secret 42")
    (reports / "link").symlink_to(folder / "data" / "secret.txt")
    door = take_port(0)
    port = door.getsockname()[1]
    with (
        dg.DagsterInstance.local_temp(str(folder)) as instance,
        WorkspaceProcessContext(instance, workspace_load_target=EmptyWorkspaceTarget()) as context,
    ):
        app = guard(create_app_from_workspace_process_context(context), port, reports)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [door]})
        thread.start()
        yield Ui(port, instance, reports)
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LocalHost"])
def test_a_page_of_the_ui_may_ask_and_change(ui: Ui, name: str):
    run = ui.new_run()
    host = f"{name}:{ui.port}"
    headers = {"Host": host, "Origin": f"http://{host.lower()}"}
    body = json.dumps({"query": ui.deletes(run)})
    answer = ui.ask("POST", "/graphql", {**headers, "Content-Type": "application/json; charset=utf-8"}, body)
    assert answer.status == 200
    assert json.loads(answer.text)["data"]["deletePipelineRun"]["__typename"] == "DeletePipelineRunSuccess"
    assert ui.instance.get_run_by_id(run) is None


STRANGERS = {
    "another host name": ({"Host": "evil.example:{port}", "Origin": "http://evil.example:{port}"}, 403),
    "the host name without the port": ({"Host": "localhost"}, 403),
    "another port": ({"Host": "localhost:1", "Origin": "http://localhost:1"}, 403),
    "a host name that begins like ours": ({"Host": "localhost.evil.example:{port}"}, 403),
    "no host name": ({"Host": ""}, 403),
    "another site": ({"Origin": "http://evil.example"}, 403),
    "another server of this machine": ({"Origin": "http://localhost:8888"}, 403),
    "our other name": ({"Origin": "http://localhost:{port}"}, 403),
    "a page without an origin": ({"Origin": "null"}, 403),
    "no origin": ({"Origin": ""}, 403),
    "a form": ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    "a form of text": ({"Content-Type": "text/plain; application/json"}, 415),
    "Dagster's other kind of body": ({"Content-Type": "application/graphql"}, 415),
}


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_stranger_changes_nothing(ui: Ui, stranger: str):
    run = ui.new_run()
    headers, status = STRANGERS[stranger]
    said = {name: value.format(port=ui.port) for name, value in headers.items()}
    answer = ui.ask("POST", "/graphql", {**ui.own, **JSON, **said}, json.dumps({"query": ui.deletes(run)}))
    assert answer.status == status
    assert ui.instance.get_run_by_id(run) is not None
    assert answer.text.count("\n") == 1 and "evil" not in answer.text


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html", "TEXT/HTML"])
@pytest.mark.parametrize("path", ["/graphql?query={query}", "/graphql/?query={query}", "/%67raphql?query={query}"])
def test_nothing_is_changed_by_get(ui: Ui, path: str, accept: str):
    run = ui.new_run()
    query = ui.deletes(run).replace(" ", "%20").replace('"', "%22")
    assert ui.ask("GET", path.format(query=query), {**ui.own, "Accept": accept}).status == 405
    assert ui.instance.get_run_by_id(run) is not None


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_refused(ui: Ui, method: str):
    assert ui.ask(method, "/graphql", {**ui.own, **JSON}, "{}").status == 405


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({}, 101),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": ""}, 403),
        ({"Host": "evil.example:{port}", "Origin": "http://evil.example:{port}"}, 403),
    ],
    ids=["own page", "another site", "no origin", "another host name"],
)
def test_a_websocket_is_opened_for_its_own_pages(ui: Ui, said: dict[str, str], status: int):
    asks = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "c2NvcmVjYXN0LXdlYnNvYw==",
        "Sec-WebSocket-Protocol": "graphql-ws",
    }
    said = {name: value.format(port=ui.port) for name, value in said.items()}
    assert ui.ask("GET", "/graphql", {**ui.own, **asks, **said}).status == status


def test_pages_are_for_this_machine_and_fetch_nothing_from_elsewhere(ui: Ui):
    assert ui.ask("GET", "/", {"Host": f"evil.example:{ui.port}"}).status == 403
    answer = ui.ask("GET", "/", {"Host": f"localhost:{ui.port}", "Accept": "text/html"})
    assert answer.status == 200
    policies = " ".join(answer.headers.get_all(CSP))
    assert "script-src 'nonce-" in policies
    assert "img-src 'self' data: blob:" in policies and "frame-ancestors 'none'" in policies
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_reports_are_shown_and_can_run_nothing(ui: Ui):
    for path in ("/reports/raw/index.html", "/reports/raw/"):
        answer = ui.ask("GET", path, ui.own)
        assert answer.status == 200
        assert answer.text == "<title>what was loaded</title>"
        assert "default-src 'none'" in answer.headers[CSP] and answer.headers[CSP].endswith("sandbox")
    assert ui.ask("GET", "/reports/raw/", {"Host": "evil.example"}).status == 403


@pytest.mark.parametrize(
    "path", ["/reports/../secret.txt", "/reports/%2e%2e/secret.txt", "/reports//../secret.txt", "/reports/link"]
)
def test_nothing_but_reports_is_read(ui: Ui, path: str):
    answer = ui.ask("GET", path, ui.own)
    assert "secret 42" not in answer.text
    assert answer.status == 404


def test_reports_are_only_read(ui: Ui):
    before = sorted(ui.reports.rglob("*"))
    assert ui.ask("POST", "/reports/raw/new.html", {**ui.own, **JSON}, "{}").status == 405
    assert sorted(ui.reports.rglob("*")) == before


def test_a_port_that_is_taken_is_told_in_one_line():
    with take_port(0) as door:
        port = door.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"Port {port} .*Address already in use.*--port {port + 1}") as taken:
            take_port(port)
    assert "\n" not in str(taken.value)
    take_port(port).close()


@pytest.mark.slow
def test_the_command_serves_definitions_and_runs_the_daemon(tmp_path: Path):
    """Through `scorecast ui`: the web server asks the code server, the daemon looks at sensors, the end ends both."""
    environment = {**os.environ, "SCORECAST_DATA": str(tmp_path / "data")}
    with take_port(0) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "pipelines.commands.main", "ui", "--port", str(port)]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        lines = iter(process.stdout.readline, "")
        assert f"http://127.0.0.1:{port} " in next(lines)
        assert any("SensorDaemon" in line and "failed_run" in line for line in lines)
        taken = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert (taken.returncode, taken.stdout) == (1, "")
        assert taken.stderr.startswith(f"Port {port} ") and taken.stderr.count("\n") == 1
        ui = Ui(port, dg.DagsterInstance.ephemeral(), tmp_path)
        jobs = {"query": "{ repositoriesOrError { ... on RepositoryConnection { nodes { jobs { name } } } } }"}
        answer = ui.ask("POST", "/graphql", {**ui.own, **JSON}, json.dumps(jobs))
        (repository,) = json.loads(answer.text)["data"]["repositoriesOrError"]["nodes"]
        assert {"daily", "weekly_refit"} <= {job["name"] for job in repository["jobs"]}
        assert json.loads(ui.ask("GET", "/server_info", ui.own).text)["dagster_version"] == dg.__version__
        process.terminate()
        process.communicate(timeout=120)  # until the last process that has this output has ended
        assert process.returncode == 0
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
