"""What a search has finished, on disk at once: killed at any moment, the same search goes on from there.

A file of lines, each a checksum and a JSON document: first a header, which says of what the search is, then a
line a unit of work. Lines are appended whole; a line that is torn or changed is dropped when it is read.
"""

import contextlib
import fcntl
import json
import os
import time
import zlib
from pathlib import Path

from ml_core.search.problem import Result
from ml_core.search.units import singles

FORMAT = 1  # of the lines; a journal of another one is set aside
KEPT = 10  # journals of other searches that stay in the folder
SYNC = 1.0  # seconds between two calls of fsync: a kill loses nothing, a power cut this much


class Journal:
    """Units of work that are done. Without a path it keeps nothing and knows nothing.

    Attributes
    ----------
    said : what the user should hear, in sentences
    resumed : units that were there when it was opened
    closed : whether the user wants the best of what is there, and nothing new
    noted : {name: value} of what was written down by ``note``
    """

    def __init__(self, path=None, parts=None, alone=False):
        """Open or start the journal of a search at ``path``; ``parts`` {name: digest} say of what it is.

        ``alone``: it is one of several that belong together, and looks at no other.
        """
        self.path, self.parts, self.alone = path, parts or {}, alone
        self.known, self.noted, self.said = {}, {}, []
        self.before, self.closed, self.file, self.synced = 0.0, False, None, 0.0
        self.began = time.monotonic()
        if path is not None:
            self._open()
        self.resumed = len(self.known)

    @property
    def spent(self):
        """Seconds of the search so far, those of earlier tries included."""
        return self.before + time.monotonic() - self.began

    def found(self, unit):
        """Results of a unit done before; None where it was not."""
        if not self.known:
            return None
        rows = self.known.get(key(unit))
        if rows is None:
            alone = [self.found(one) for one in singles(unit)] if unit.together else [None]
            return None if None in alone else [result for found in alone for result in found]
        return [
            Result(unit.places[row], fold, _number(score), seconds, error, tuple(map(_number, more)))
            for row, fold, score, seconds, error, more in rows
        ]

    def add(self, unit, results):
        """Write down the results of a unit."""
        if self.file is None:
            return
        place = {i: row for row, i in enumerate(unit.places)}
        rows = [
            [place[r.candidate], r.fold, _json(r.score), round(r.seconds, 6), r.error, [*map(_json, r.more)]]
            for r in results
        ]
        self._append(f'{{"unit": {key(unit)}, "rows": {json.dumps(rows)}, "at": {self.spent:.3f}}}')

    def note(self, name, value):
        """Write down something else that must stay the same the next time."""
        self.noted[name] = value
        self._write({"note": [name, value]})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Let others have the file."""
        if self.file is not None:
            with contextlib.suppress(OSError):
                os.fsync(self.file)
            os.close(self.file)
            self.file = None

    def retire(self):
        """The search is over: the next one starts anew.

        What was ended early stays for one more: `mlcore run` then finds what `--take-best` took.
        """
        if self.closed and not self.noted.get("taken"):
            self.note("taken", True)
            return
        self.close()
        if self.path is not None and self.path.exists():
            self.path.replace(self.path.with_name("last.jsonl"))

    def _open(self):
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            self._give_up(error)
            return
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self.file)
            self.file = None
            raise ValueError(
                f"another search of the same space and data is at work ({self.path}); wait for it or end it"
            ) from None
        if not self._read():
            if not self.alone:
                self._look_around()
            self._write({"journal": FORMAT, "parts": self.parts})

    def _read(self):
        """Take in what is there; False when the journal is new."""
        content = self.path.read_bytes()
        lines = content.split(b"\n")
        torn = lines.pop()  # what follows the last line's end
        documents = [document for line in lines if (document := _parsed(line)) is not None]
        bad = len(lines) - len(documents) + bool(torn)
        header = documents[0] if documents and "journal" in documents[0] else {}
        if content and header.get("journal") != FORMAT:
            aside = self.path.with_suffix(f".{time.strftime('%Y%m%d-%H%M%S')}.old")
            aside.write_bytes(content)
            os.ftruncate(self.file, 0)
            made = header.get("journal", "no known format")
            self.said.append(f"the journal was made by another version ({made}); it was set aside as {aside}")
            return False
        if torn:
            os.ftruncate(self.file, len(content) - len(torn))
        for document in documents[1:]:
            self._take(document)
        if bad:
            self.said.append(f"{bad} torn line{'s' * (bad > 1)} of the journal dropped")
        if self.known:
            self.said.append(f"goes on from {self.path}: {len(self.known)} units of work were done")
        return bool(content)

    def _take(self, document):
        if "unit" in document:
            self.known[json.dumps(document["unit"])] = document["rows"]
            self.before = max(self.before, document["at"])
        elif "note" in document:
            name, value = document["note"]
            self.noted[name] = value
            self.closed = self.noted.get("closed", False)

    def _look_around(self):
        """Say what changed since a search that did not end; forget journals that nobody came back for."""
        aged = sorted(self.path.parent.glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
        aged.remove(self.path)
        others = [path for path in aged if path.name != "last.jsonl"]
        if others and aged[-1].name != "last.jsonl":  # nothing was searched to its end since
            documents = [one for line in others[-1].read_bytes().split(b"\n") if (one := _parsed(line))]
            old = documents[0].get("parts", {}) if documents else {}
            changed = " and ".join(name for name in self.parts if old.get(name) != self.parts[name])
            changed = f"{changed or 'everything'} changed since the search that was cut short"
            noted = dict(one["note"] for one in documents if "note" in one)
            if noted.get("closed") and not noted.get("taken"):
                self.close()
                self.path.unlink()
                with Journal(others[-1], alone=True) as other:
                    other.note("closed", False)
                raise ValueError(
                    f"{changed}, whose best was to be taken; compose its choices again, or `mlcore "
                    "search` runs the new one"
                )
            self.said.append(f"{changed}: a new journal; the old one stays in {others[-1]}")
        for path in others[:-KEPT]:
            path.unlink(missing_ok=True)

    def _write(self, document):
        self._append(json.dumps(document))

    def _append(self, text):
        """Append a document's json as a line."""
        if self.file is None:
            return
        text = text.encode()
        line = b"%08x %s\n" % (zlib.crc32(text), text)
        try:
            end = os.fstat(self.file).st_size
            if os.write(self.file, line) < len(line):
                os.ftruncate(self.file, end)
                raise OSError(28, "No space left on device")
            if time.monotonic() - self.synced > SYNC:
                os.fsync(self.file)
                self.synced = time.monotonic()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error):
        """A search is worth more than its journal: it goes on without."""
        self.close()
        self.said.append(
            f"the journal {self.path} could not be written ({error.strerror}): the search went on without, "
            "and cannot be resumed from there"
        )


def key(unit):
    """A unit's name: its candidates and where they are judged."""
    return json.dumps([unit.share, list(unit.folds), unit.together, list(unit.candidates)])


def _parsed(line):
    """A line's document; None for one that is not what was written."""
    if len(line) < 10 or line[8:9] != b" ":
        return None
    try:
        return json.loads(line[9:]) if int(line[:8], 16) == zlib.crc32(line[9:]) else None
    except ValueError:
        return None


def _json(number):
    return None if number != number else number


def _number(value):
    return float("nan") if value is None else value


def opened(folder: Path, parts: dict, alone: bool = False) -> Journal:
    """The journal in ``folder`` of the search that ``parts`` {name: digest} describe."""
    import hashlib

    name = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
    return Journal(folder / f"{name}.jsonl", parts, alone)


def take_best(folder: Path) -> None:
    """Mark the search that was cut short last: its next run ends with the best of what is there."""
    paths = sorted(folder.glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
    if not paths or paths[-1].name == "last.jsonl":  # one was searched to its end since
        raise ValueError(f"no search was cut short here ({folder}); `mlcore search` runs one")
    with Journal(paths[-1], alone=True) as journal:
        if not journal.resumed:
            raise ValueError("the search was cut short before anything was finished; run it again")
        journal.note("closed", True)
