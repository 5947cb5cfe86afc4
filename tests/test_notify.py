"""Those who are told of a failure: what a webhook and a mail server get."""

import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ml_core import notify

NOTE = {"title": "retrain: train failed", "stage": "train", "reason": "no rows", "link": "", "workspace": "w"}


@pytest.fixture
def web():
    """A server that keeps what it is sent."""
    got = []

    class Keep(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((self.path, self.headers["Content-Type"], json.loads(body)))
            self.send_response(200 if self.path != "/no" else 500)
            self.end_headers()

        def log_message(self, *words):
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Keep)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, got
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("by", ["uri", "extra"])
def test_a_webhook_gets_text_and_facts(web, by):
    port, got = web
    if by == "uri":
        notify.deliver("http", f"http://127.0.0.1:{port}/hook", {}, NOTE)
    else:
        notify.deliver("slackwebhook", "slackwebhook://", {"url": f"http://127.0.0.1:{port}/hook"}, NOTE)
    path, kind, body = got[0]
    assert (path, kind) == ("/hook", "application/json")
    assert body["text"] == "retrain: train failed\nstage: train\nreason: no rows\nworkspace: w"
    assert body["stage"] == "train"


def test_a_server_that_says_no_is_an_oserror(web):
    with pytest.raises(OSError, match="500"):
        notify.deliver("http", f"http://127.0.0.1:{web[0]}/no", {}, NOTE)


def test_only_the_web_is_asked():
    with pytest.raises(ValueError, match="must start with https:// or http://, got file:"):
        notify.deliver("http", "", {"url": "file:///etc/passwd"}, NOTE)


def test_mail(tmp_path):
    lines = []

    class Mail(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 here\r\n")
            data = False
            for raw in self.rfile:
                line = raw.decode().rstrip("\r\n")
                lines.append(line)
                word = "" if data else line.upper()
                if data:
                    data = line != "."
                    answer = None if data else "250 taken"
                elif word == "DATA":
                    data, answer = True, "354 go on"
                else:
                    answer = "221 bye" if word == "QUIT" else "250 fine"
                if answer:
                    self.wfile.write(f"{answer}\r\n".encode())
                if word == "QUIT":
                    return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"smtp://127.0.0.1:{server.server_address[1]}"
        notify.deliver("smtp", address, {"to": "team@example.com"}, NOTE)
        server.shutdown()
    assert "rcpt TO:<team@example.com>" in lines and "Subject: retrain: train failed" in lines
    assert "reason: no rows" in lines
    with pytest.raises(ValueError, match="must say whom to tell"):
        notify.deliver("smtp", address, {}, NOTE)
