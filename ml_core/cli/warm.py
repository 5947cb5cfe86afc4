"""`search.warm_start=RUN`: the tracker brings the run's trials; the search begins with the best of them."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

from ml_core.cli.build import build


def warmed(settings, params: dict, allowed: tuple[str, ...]):
    """Search settings whose strategy first tries what was best in the run that ``warm_start`` names."""
    from ml_core.search.warm import Warm, best_of

    run = settings.warm_start
    tracker = build(params.get("tracking"), allowed, "tracking")
    if tracker is None:
        raise ValueError("search.warm_start needs the section tracking; run `mlcore compose`")
    with tempfile.TemporaryDirectory() as folder:
        path = tracker.fetch(run, "search/trials.json", Path(folder))
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    return replace(settings, strategy=Warm(settings.strategy, best_of(document, run), run))
