"""Tell people of a run that went wrong: by a webhook (Slack takes it as it is) or by e-mail."""

import json
import smtplib
import urllib.request
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

PATIENCE = 10  # seconds for a server to answer
MAIL = ("smtp", "email")


def deliver(kind: str, address: str, extra: dict, note: dict) -> None:
    """Send ``note`` to a connection: its kind, its address as a URI, its further settings.

    A webhook gets {"text": ..., **note} as JSON; ``extra`` may hold its whole address as ``url``. E-mail goes
    to ``extra["to"]``. OSError when it was not delivered, ValueError when the connection lacks something.
    """
    if kind in MAIL:
        _mail(urlsplit(address), extra, note)
        return
    place = extra.get("url") or _web(urlsplit(address), extra)
    if not place.startswith(("https://", "http://")):
        raise ValueError(
            f"a webhook's address must start with https:// or http://, got {place.split(':')[0]}:"
        )
    body = json.dumps({"text": words(note), **note}, ensure_ascii=False).encode()
    asked = urllib.request.Request(place, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
        answer.read()


def words(note: dict) -> str:
    """A note for people: its title, then a line for each thing known."""
    lines = [f"{key}: {value}" for key, value in note.items() if key != "title" and value]
    return "\n".join([note["title"], *lines])


def _web(parts, extra):
    """A connection's address as the web has it; a scheduler keeps http and its like as the kind."""
    scheme = extra.get("scheme") or ("https" if parts.scheme not in ("http", "https") else parts.scheme)
    host = unquote(parts.hostname or "")
    if host.startswith(("http://", "https://")):
        return f"{host}{parts.path}"
    return f"{scheme}://{host}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _mail(parts, extra, note):
    if not extra.get("to"):
        raise ValueError("an e-mail connection must say whom to tell: extra {to: a@example.com}")
    letter = EmailMessage()
    letter["Subject"], letter["To"] = note["title"], extra["to"]
    letter["From"] = extra.get("from") or unquote(parts.username or "") or "mlcore@localhost"
    letter.set_content(words(note))
    with smtplib.SMTP(parts.hostname or "localhost", parts.port or 25, timeout=PATIENCE) as server:
        if extra.get("starttls"):
            server.starttls()
        if parts.username and parts.password:
            server.login(unquote(parts.username), unquote(parts.password))
        server.send_message(letter)
