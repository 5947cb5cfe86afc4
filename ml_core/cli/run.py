"""`mlcore run`: refuse what conf/ did not give, bring up to date, tell what happened."""

import json
import sys
import time
from pathlib import Path

from ml_core import plan, settled
from ml_core.cli import compose, door
from ml_core.cli.commands import print_error, print_json
from ml_core.runner import Share, Stopped, bring_up_to_date


def run_pipeline(targets: list[str] | None, force: bool, as_json: bool, share: Share | None = None) -> None:
    """Run the recipe, or the stages named and what they need; print a table, or JSON."""
    began = time.time()
    diff = compose.check()
    if diff:
        raise Stopped(
            f"params.yaml is not what conf/ gives (see `mlcore compose --check`); type `{compose.advice()}`"
        )
    recipe, params = plan.load(Path("dvc.yaml")), plan.load(Path("params.yaml"))
    asked = check_recipe(recipe, params, targets)
    messages: list[str] = []

    def call(name: str) -> None:
        outcome = door.step(name)
        if outcome.notes.get("message"):
            messages.append(f"{name}: {outcome.notes['message']}")

    shared = share is not None and (share.pull or share.push)
    known = None if force or shared else settled.is_settled(recipe, params)
    if known is None:
        happened = bring_up_to_date(call, targets, force, _begins, share)
        if targets is None and "stale" not in happened.values():
            settled.remember(recipe, params, list(happened))
    else:
        happened = dict.fromkeys(known, "unchanged")
    happened = {name: happened[name] for name in asked}
    entries = {name: {"what": what, **_journal(name, what, began)} for name, what in happened.items()}
    metrics = {name: found for name in happened if (found := _metrics(name))}
    seconds = round(time.time() - began, 2)
    if as_json:
        print_json({"stages": entries, "metrics": metrics, "seconds": seconds, "messages": messages})
        return
    _table(entries, metrics, seconds)
    for message in messages:
        print_error(message)


def check_recipe(recipe: dict, params: dict, targets: list[str] | None) -> list[str]:
    """The stages that ``targets`` ask for, with what they need; all by default.

    A cycle, an unknown stage, a missing file, no repository: told in our words, before DVC is imported.
    """
    stages = plan.read(recipe=recipe, params=params)
    names, made = [stage.name for stage in stages], {out for stage in stages for out in stage.outs}
    for target in targets or []:
        if target not in names:
            raise ValueError(f"dvc.yaml has no stage {target!r}; it has {', '.join(names)}")
    for stage in stages:
        for dep in stage.deps:
            if dep not in made and "://" not in dep and not Path(dep).exists():
                raise Stopped(
                    f"{stage.name} reads {dep}, and there is no such file or folder{_hint(dep, params)}"
                )
    if not any((folder / ".git").exists() for folder in [Path.cwd(), *Path.cwd().parents]):
        raise Stopped("this folder is in no git repository, which DVC needs; type `git init` first")
    asked = set(targets or names)
    for stage in reversed(stages):
        asked |= set(stage.after) if stage.name in asked else set()
    return [name for name in names if name in asked]


def _hint(dep, params):
    """Which override names the missing file."""
    return "; set data.path=..." if str((params.get("data") or {}).get("path")) == dep else "; see dvc.yaml"


def _begins(stage):
    """A line for the person watching; nothing for a machine."""
    if sys.stderr.isatty():
        print_error(f"{stage} ...")


def _journal(name, what, began):
    path = door.HOME / "journal" / f"{name}.json"
    if what != "ran" or not path.exists():
        return {}
    entry = json.loads(path.read_text())
    return (
        {part: entry[part] for part in ("seconds", "cpu_seconds", "peak_mb")}
        if entry["started"] >= began - 1
        else {}
    )


def _metrics(name):
    path = Path("out") / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _table(entries, metrics, seconds):
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title=f"{_headline(entries)} in {seconds:.1f} s", title_justify="left", box=None, pad_edge=False
    )
    for title in ("stage", "", "seconds", "peak MB", "numbers"):
        table.add_column(
            title, justify="right" if title in ("seconds", "peak MB") else "left", no_wrap=title != "numbers"
        )
    for name, entry in entries.items():
        numbers = "  ".join(f"{key} {_number(value)}" for key, value in _main(metrics.get(name, {})))
        table.add_row(
            name, entry["what"], _number(entry.get("seconds")), _number(entry.get("peak_mb")), numbers
        )
    Console().print(table)


def _main(metrics):
    """The numbers worth a line: values, not the ends of their intervals."""
    flat = [(key, value) for key, value in metrics.items() if not key.endswith((".low", ".high", ".n"))]
    return flat[:6]


def _number(value):
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _headline(entries):
    counts: dict[str, int] = {}
    for entry in entries.values():
        counts[entry["what"]] = counts.get(entry["what"], 0) + 1
    if set(counts) == {"unchanged"}:
        return "everything is up to date; nothing ran"
    return ", ".join(f"{n} {what}" for what, n in counts.items())
