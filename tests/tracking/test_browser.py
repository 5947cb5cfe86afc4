"""MLflow's own page in a real browser: it lists our runs, compares two, shows plots, tables, report."""

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request
import zlib
from pathlib import Path

import laid_out
import pytest

from ml_core.tracking.mlflow import Mlflow

alone, empty_store, make = laid_out.alone, laid_out.empty_store, laid_out.make

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: apt-get install chromium"),
]
PATIENCE = 90_000  # milliseconds; a busy machine takes its time


def png(width, height):
    """A grey picture of that size."""

    def part(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    rows = (b"\0" + b"\x88" * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b"")
    )


@pytest.fixture
def recorded(make, empty_store):
    """Three runs in the checkout's own store, one of them failed."""
    shutil.copy(empty_store, "mlflow.db")
    run = make()
    run.artifacts["evaluate/plots/roc.png"].write_bytes(png(320, 200))
    first = Mlflow().record(run)
    changed = {"params": {"model.estimator.C": "0.5", "seed": "0"}, "metrics": {"evaluate/auc": 0.97}}
    second = Mlflow().record(make(receipt="b" * 32, name="LogisticRegression bbbbbbb", **changed))
    lost = {
        "receipt": "c" * 32,
        "name": "broken ccccccc",
        "status": "FAILED",
        "message": "prepare: no column y",
    }
    return first, second, Mlflow().record(make(**lost, model=None, artifacts={}, metrics={}))


@pytest.fixture
def address(recorded):
    """A plain `mlflow ui` started in the checkout; ended by its id."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    words = [
        sys.executable,
        "-m",
        "mlflow",
        "ui",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    with open("ui.log", "w") as said:
        process = subprocess.Popen(words, env=environment, stdout=said, stderr=said, start_new_session=True)
    until = time.monotonic() + 300
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2)
            break
        except OSError:
            if time.monotonic() > until or process.poll() is not None:
                pytest.fail(Path("ui.log").read_text()[-2000:])
            time.sleep(0.3)
    yield f"http://127.0.0.1:{port}"
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(30)


@pytest.fixture
def page():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(PATIENCE)
        yield page
        browser.close()


def test_the_page_shows_runs_comparison_plots_table_model_and_report(address, page, recorded, tmp_path):
    first, second, broken = recorded
    experiment, training = f"{address}/#/experiments/1", "workflowType=machine_learning"

    def visit(place):
        page.goto("about:blank")  # else only the fragment changes, and the page keeps what it shows
        page.goto(f"{place}{'&' if '?' in place else '?'}{training}", wait_until="commit")

    visit(f"{experiment}/runs")
    for name in ("LogisticRegression aaaaaaa", "LogisticRegression bbbbbbb", "broken ccccccc"):
        page.get_by_text(name).first.wait_for()
    page.get_by_text("toy (d4d4").first.wait_for()

    chosen = f"runs={json.dumps([first, second])}&experiments={json.dumps(['1'])}".replace('"', "%22")
    visit(f"{address}/#/compare-runs?{chosen}")
    page.get_by_text("Comparing 2 Runs from 1 Experiment").wait_for()
    page.get_by_text("model.estimator.C").first.wait_for()
    page.get_by_text("evaluate/auc").first.wait_for()
    assert "0.97" in page.inner_text("body") and "0.93" in page.inner_text("body")

    visit(f"{experiment}/runs/{first}/artifacts/report.html")
    page.frame_locator("iframe").get_by_role("heading", name="report").wait_for()

    visit(f"{experiment}/runs/{first}/artifacts/evaluate/plots/roc.png")
    picture = page.locator("img[src^='blob:'], img[src*='roc.png']").first
    picture.wait_for()
    assert picture.evaluate("image => image.naturalWidth") == 320

    visit(f"{experiment}/runs/{first}/artifacts/trials.json")
    page.get_by_role("columnheader", name="score").first.wait_for()

    visit(f"{experiment}/models")
    page.get_by_text("LogisticRegression").first.wait_for()

    visit(f"{experiment}/runs/{broken}")
    page.get_by_text("prepare: no column y").first.wait_for()
    page.get_by_text("Failed").first.wait_for()
