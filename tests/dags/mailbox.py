"""A message queue in a thread: as much of Redis's publish and subscribe as its client asks for."""

import contextlib
import socketserver
import threading


class Mailbox(socketserver.ThreadingTCPServer):
    """Listens on 127.0.0.1; `say` hands a text to all who subscribed to a channel."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Reader)
        self.listeners, self.asked = {}, 0  # (channel, reader) -> None; how often one has subscribed
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def say(self, channel, text):
        """How many were told."""
        found = [reader for known, reader in list(self.listeners) if known == channel]
        for reader in found:
            reader.push("message", channel, text)
        return len(found)


class Reader(socketserver.StreamRequestHandler):
    """One client; it speaks the protocol in its second or third version."""

    push_mark = "*"

    def handle(self):
        """Answer until it hangs up."""
        with contextlib.suppress(OSError, ValueError):
            while words := self.words():
                self.answer(words[0].upper(), words[1:])

    def finish(self):
        """Nothing more for whom has gone."""
        for key in [key for key in list(self.server.listeners) if key[1] is self]:
            self.server.listeners.pop(key)

    def words(self):
        """The next command: an array of texts."""
        head = self.rfile.readline()
        sizes = (int(self.rfile.readline()[1:]) for _ in range(int(head[1:] or 0)))
        return [self.rfile.read(size + 2)[:-2].decode() for size in sizes]

    def answer(self, name, rest):
        """What Redis says to a command."""
        if name == "HELLO" and rest == ["3"]:
            self.push_mark = ">"
            self.send("%1\r\n$5\r\nproto\r\n:3\r\n")
        elif name == "PING":
            self.send("+PONG\r\n")
        elif name == "SUBSCRIBE":
            for count, channel in enumerate(rest, 1):
                self.push("subscribe", channel, count)
                self.server.listeners[channel, self] = None
                self.server.asked += 1
        else:
            self.send("-ERR unknown command\r\n")

    def push(self, *items):
        """An array of texts and numbers."""
        parts = (f":{i}" if isinstance(i, int) else f"${len(i.encode())}\r\n{i}" for i in items)
        self.send("\r\n".join([f"{self.push_mark}{len(items)}", *parts, ""]))

    def send(self, text):
        """To the client."""
        self.wfile.write(text.encode())
