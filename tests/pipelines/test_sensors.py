"""What starts or reports a run besides the clock: exports that arrive, and runs that fail."""

import json
import os
import socket
import threading
import traceback
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import dagster as dg
import pytest

from pipelines.sensors import WebhookError, failed_run, new_files


class Landing:
    """The exports of two systems, one of them in a folder of its own, and looks of the sensor at them."""

    def __init__(self, folder: Path):
        self.data, self.elsewhere = folder / "data", folder / "exports of hubspot"
        self.cursor: str | None = None
        (folder / "sources.yaml").write_text(
            f"sources:\n  stripe: landing/stripe\n  hubspot: '{self.elsewhere}'\n",
        )
        self.customers = self.data / "landing" / "stripe" / "customer"
        self.customers.mkdir(parents=True)

    def look(self) -> list[dg.RunRequest]:
        """One tick, as the daemon does it: the cursor of this one is what the next one starts from."""
        with dg.DagsterInstance.ephemeral() as instance:
            tick = new_files.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=self.cursor))
        self.cursor = tick.cursor
        assert bool(tick.run_requests) != bool(tick.skip_message)
        return list(tick.run_requests or [])

    def runs(self, looks: int = 4) -> int:
        """How many runs are started by the next looks, while nothing changes."""
        return sum(len(self.look()) for _ in range(looks))


@pytest.fixture
def landing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Landing:
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("SCORECAST_SOURCES", str(tmp_path / "sources.yaml"))
    landing = Landing(tmp_path)
    (landing.customers / "1.jsonl").write_text('{"id": "c1"}\n')
    return landing


def test_files_that_were_there_before_start_nothing(landing: Landing):
    assert landing.runs() == 0


def test_new_files_start_daily_once(landing: Landing):
    landing.look()
    (landing.customers / "2.jsonl").write_text('{"id": "c2"}\n')
    (landing.customers / "3.jsonl").write_text('{"id": "c3"}\n')
    assert landing.runs() == 1
    assert landing.runs() == 0
    assert new_files.job_name == "daily"


def test_each_delivery_starts_a_run_of_its_own(landing: Landing):
    landing.look()
    keys = []
    for number in (2, 3):
        (landing.customers / f"{number}.jsonl").write_text('{"id": "c"}\n')
        keys += [request.run_key for _ in range(4) for request in landing.look()]
    assert len(keys) == 2
    assert keys[0] != keys[1]


def test_a_file_that_is_still_growing_starts_nothing_until_it_is_done(landing: Landing):
    landing.look()
    path = landing.customers / "2.jsonl"
    for number in range(4):
        with path.open("a") as file:
            file.write(f'{{"id": "c{number}"}}\n')
        assert landing.look() == []
    assert landing.runs() == 1


def test_a_file_with_the_same_size_and_a_new_date_counts_as_changed(landing: Landing):
    landing.look()
    path = landing.customers / "1.jsonl"
    stat = path.stat()
    path.write_text('{"id": "c9"}\n')
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert path.stat().st_size == stat.st_size
    assert landing.runs() == 1


def test_a_configured_folder_elsewhere_is_watched_from_the_day_it_is_there(landing: Landing):
    assert landing.runs() == 0
    landing.elsewhere.mkdir()
    assert landing.runs() == 0
    (landing.elsewhere / "contact.csv").write_text("id\n1\n")
    assert landing.runs() == 1


def test_files_of_a_system_that_is_not_configured_start_nothing(landing: Landing):
    landing.look()
    other = landing.data / "landing" / "zendesk" / "ticket"
    other.mkdir(parents=True)
    (other / "1.csv").write_text("id\n1\n")
    assert landing.runs() == 0


class Receiver:
    """A chat tool on this machine: keeps what is posted and answers with a status."""

    def __init__(self):
        self.posts: list[tuple[str, str, dict]] = []
        self.status = 200
        self.location = ""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.posts.append((self.path, self.headers["Content-Type"], body))
                self.send_response(receiver.status)
                if receiver.location:
                    self.send_header("Location", receiver.location)
                self.end_headers()

            def do_GET(self):
                receiver.posts.append((self.path, "", {}))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *arguments):
                return

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


def failure() -> tuple[dg.RunFailureSensorContext, str]:
    """A job `daily` that really failed, as the sensor is told about it; and the run's id."""

    @dg.op
    def load():
        raise RuntimeError("the disk is full")

    @dg.job(name="daily")
    def job():
        load()

    instance = dg.DagsterInstance.ephemeral()
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    context = dg.build_run_status_sensor_context(
        sensor_name="failed_run",
        dagster_instance=instance,
        dagster_run=result.dagster_run,
        dagster_event=result.get_run_failure_event(),
    )
    return context.for_run_failure(), result.run_id


def test_a_failed_run_is_posted_to_the_webhook_of_the_configuration(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
):
    """With the `sources.yaml` that is shipped, which takes the webhook from the environment."""
    monkeypatch.setenv("SCORECAST_FAILURE_WEBHOOK", receiver.url)
    context, run_id = failure()
    assert failed_run(context) is None
    ((path, content_type, body),) = receiver.posts
    assert (path, content_type) == ("/hook", "application/json")
    assert set(body) == {"text", "run_id", "job", "error"}
    assert (body["run_id"], body["job"]) == (run_id, "daily")
    assert "load" in body["error"]
    assert body["text"] == f"Scorecast: daily failed. {body['error']}"


def test_without_a_webhook_nothing_is_posted_and_the_tick_says_why(receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("SCORECAST_FAILURE_WEBHOOK", raising=False)
    context, _ = failure()
    told = failed_run(context)
    assert isinstance(told, dg.SkipReason)
    assert "failure_webhook" in told.skip_message
    assert receiver.posts == []


def test_a_webhook_that_refuses_fails_the_tick(receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    """So that the UI shows it; nobody would look for a message that silently was not sent."""
    monkeypatch.setenv("SCORECAST_FAILURE_WEBHOOK", receiver.url)
    receiver.status = 403
    context, run_id = failure()
    with pytest.raises(WebhookError, match="403") as refused:
        failed_run(context)
    assert run_id in str(refused.value)


def test_a_failed_run_is_posted_once_whatever_became_of_the_post(receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    """A tick that was cut off is evaluated again, with the failures that it had posted."""
    monkeypatch.setenv("SCORECAST_FAILURE_WEBHOOK", receiver.url)
    context, run_id = failure()
    receiver.status = 500
    with pytest.raises(WebhookError):
        failed_run(context)
    receiver.status = 200
    assert run_id in failed_run(context).skip_message
    other, _ = failure()
    assert failed_run(other) is None
    assert len(receiver.posts) == 2


def test_a_webhook_that_has_moved_is_told_and_not_followed(receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SCORECAST_FAILURE_WEBHOOK", receiver.url)
    receiver.status, receiver.location = 302, receiver.url + "/elsewhere"
    context, _ = failure()
    with pytest.raises(WebhookError, match="302"):
        failed_run(context)
    assert [path for path, _, _ in receiver.posts] == ["/hook"]


@pytest.fixture
def dripping() -> Iterator[int]:
    """The port of a server that answers a byte now and then, for ever."""
    stop = threading.Event()

    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection, suppress(OSError):
            while not stop.wait(0.05):
                connection.send(b"H")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        yield server.getsockname()[1]
        stop.set()
        thread.join()


def test_a_webhook_has_so_much_time_and_no_more(dripping: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SCORECAST_FAILURE_WEBHOOK", f"http://127.0.0.1:{dripping}/hook")
    monkeypatch.setattr("pipelines.sensors.WEBHOOK_TIMEOUT_SECONDS", 0.5)
    context, _ = failure()
    with pytest.raises(WebhookError, match="no answer"):
        failed_run(context)


@pytest.mark.parametrize(
    ("webhook", "why"),
    [
        ("ftp://chat.example/S3CRET", "https://"),
        ("file:///S3CRET", "https://"),
        ("hxxps://chat.example/S3CRET", "https://"),
        ("/S3CRET", "https://"),
        ("http://127.0.0.1:1/S3CRET", "refused"),
        ("http://127.0.0.1:1/S3CRET\n", "refused"),
        ("http://127.0.0.1:port/S3CRET", "https://"),
        ("http://[S3CRET", "https://"),
        ("http://S3CRET.invalid/", "."),
        ("http://127.0.0.1:1/S3CRET with spaces", "https://"),
        ("http://127.0.0.1:1/S3CRET\N{SNOWMAN}", "https://"),
    ],
)
def test_the_address_is_told_to_nobody(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture, webhook: str, why: str
):
    """It is a secret: who has it can write into the company's chat."""
    monkeypatch.setenv("SCORECAST_FAILURE_WEBHOOK", webhook)
    context, _ = failure()
    with pytest.raises(WebhookError, match=why) as refused:
        failed_run(context)
    told = "".join(traceback.format_exception(refused.value)) + str(capfd.readouterr())
    assert "s3cret" not in told.lower()


def test_failures_are_watched_from_the_start():
    assert failed_run.default_status == dg.DefaultSensorStatus.RUNNING
