"""`mlcore promote`, `rollback`, `history`, `compare`: configuration -> objects -> promotion -> words."""

import dataclasses
import getpass
import os
import platform
import shutil
import tempfile
from pathlib import Path

from ml_core import plan
from ml_core.cli.build import allowed_packages, build
from ml_core.cli.commands import print_error, print_json, print_line
from ml_core.cli.show import tracker
from ml_core.models.file import trusting
from ml_core.outcome import CheckFailed


def promote_run(name: str | None, options: dict) -> int:
    """0 promoted (or champion already), 1 refused; the report goes where ``options["report"]`` says."""
    from ml_core.promotion.fresh import Fresh
    from ml_core.promotion.promote import Asked, promote

    _check_report(options.get("report"))
    with Fresh(allowed_packages()) as fresh, tempfile.TemporaryDirectory(prefix="mlcore-") as place:
        ledger = with_registry(tracker())
        gates, policy = chosen_gates(options.get("reproduce", False)), chosen_policy()
        run = ledger.read(name) if name else last_finished(ledger)
        registry = ledger.registry(policy.name_for(run.tags))
        asked = Asked(
            run, gates, policy, who(), fresh, lambda: _reproduced(run, ledger),
            options.get("approve_by") or "", options.get("dry_run", False), print_error,
        )  # fmt: skip
        with trusting(allowed_packages()):
            decision = promote(asked, ledger, registry, Path(place))
        return _told(decision, registry, options)


def chosen_gates(reproduce: bool = False) -> dict:
    """The gates that params.yaml names, in order; the rerun is asked for by ``reproduce``."""
    from ml_core.gates.asked import Reproducible
    from ml_core.gates.judge import named

    gates = named(build(_section("gate"), allowed_packages(), "gate"))
    return gates | ({"reproducible": Reproducible(always=True)} if reproduce else {})


def chosen_policy():
    """Promote's section of params.yaml, as an object."""
    return build(_section("promote"), allowed_packages(), "promote")


def _section(name):
    params = plan.load(Path("params.yaml"))
    if name not in params:
        raise ValueError(f"params.yaml has no section {name}; run `mlcore compose`")
    return params[name]


def with_registry(ledger):
    """The tracker; ValueError where it has no registry."""
    if not hasattr(ledger, "registry"):
        raise ValueError(
            f"tracking={type(ledger).__name__.lower()} has no registry, so nothing can be promoted; type "
            "`mlcore compose tracking=mlflow`, then `mlcore run`"
        )
    return ledger


def last_finished(ledger):
    """The newest run that finished with a model."""
    for run in ledger.runs(100):
        if run.status == "FINISHED" and run.model is not None:
            return ledger.read(run.run_id)
    raise ValueError("none of the last 100 runs finished with a model; `mlcore run` makes one")


def who() -> str:
    """Who acts: the person, or the one that CI works for; and the machine."""
    name = next((os.environ[v] for v in ("GITHUB_ACTOR", "GITLAB_USER_LOGIN") if os.environ.get(v)), "")
    return f"{name or getpass.getuser()} on {platform.node() or 'an unnamed machine'}"


def _reproduced(run, ledger):
    from ml_core.cli.reproduce import again

    return again(run, ledger)


def _told(decision, registry, options):
    from ml_core.promotion import evidence

    if options.get("report") and decision.folder:
        _lay_report(decision.folder, options["report"])
    if options.get("as_json"):
        print_json(evidence.as_json(decision))
    else:
        for verdict in decision.verdicts:
            mark = "not judged" if not verdict.judged else "passed" if verdict.passed else "REFUSED"
            print_line(f"  {verdict.gate:13} {mark:10}  {verdict.reason}")
        against = f"version {decision.champion}" if decision.champion else "no champion before"
        version = f"version {decision.version}, " if decision.version else ""
        print_line(f"{registry.name}: {version}run {decision.run_id[:8]}: {decision.what} ({against})")
        if options.get("report") and decision.folder:
            print_line(f"the report lies in {options['report']}")
    return 0 if decision.good else 1


def _lay_report(folder: Path, report: Path) -> None:
    """Copy the report to where the user wants it: NAME.html, and for NAME.md also that with its plots."""
    report.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / "report.html", report.with_suffix(".html"))
    if report.suffix == ".md":
        text, plots = (folder / "report.md").read_text(encoding="utf-8"), f"{report.stem}-plots"
        if (folder / "report-plots").is_dir():
            shutil.copytree(folder / "report-plots", report.parent / plots, dirs_exist_ok=True)
        report.write_text(text.replace("](report-plots/", f"]({plots}/"), encoding="utf-8")


def _check_report(report: Path | None) -> None:
    """Before the work, and not after it."""
    if report is not None and report.suffix not in (".md", ".html"):
        raise ValueError(f"--report {report}: a report ends with .md (with plots beside it) or with .html")


def roll_back_to(to: str | None, reason: str, force: bool, as_json: bool) -> None:
    """Move back, and say what was checked."""
    from ml_core.promotion.fresh import Fresh
    from ml_core.promotion.rollback import roll_back

    if not reason.strip():
        raise ValueError("a rollback needs a reason: --reason '...'")
    with Fresh(allowed_packages()) as fresh, tempfile.TemporaryDirectory(prefix="mlcore-") as place:
        registry = the_registry()
        with trusting(allowed_packages()):
            back = roll_back(
                registry, registry.tracker, fresh, Path(place), to=to, why=reason, who=who(), force=force
            )
    if as_json:
        print_json(dataclasses.asdict(back))
        return
    print_line(f"{back.model}: back from version {back.before} to version {back.version}; {back.checked}")


def compare_runs(name_a: str, name_b: str, report: Path | None) -> None:
    """Two runs side by side in the terminal, and in a file where one is wanted."""
    from ml_core.promotion import contenders
    from ml_core.promotion.comparable import comparable
    from ml_core.report import comparison, document

    _check_report(report)
    ledger = tracker()
    with tempfile.TemporaryDirectory(prefix="mlcore-") as place, trusting(allowed_packages()):
        a, b = (
            contenders.Recorded(f"run {run.run_id[:8]}", contenders.fit(run), ledger, Path(place) / side)
            for side, run in (("a", ledger.read(name_a)), ("b", ledger.read(name_b)))
        )
        verdict = comparable(a, b, new_features=True)
        if not verdict.passed:
            raise CheckFailed(verdict.reason)
        made = comparison.document(contenders.duel(a, b, chosen_policy().metric, {}, None))
    document.terminal(made)
    if report is not None:
        document.write(made, report)
        print_line(f"the report lies in {report}")


def collect_garbage(days: int | None, apply: bool, as_json: bool) -> None:
    """Tell what nothing needs any more; with ``apply`` remove it."""
    from ml_core.promotion import retention

    policy, registry = chosen_policy(), the_registry()
    days = policy.keep_days if days is None else days
    if days < 0:
        raise ValueError(f"--days must be 0 or more, got {days}")
    found = retention.find(registry, registry.tracker, days, Path.cwd())
    if apply:
        retention.remove(found, registry, registry.tracker)
    if as_json:
        print_json(dataclasses.asdict(found) | {"removed": apply})
        return
    for line in found.lines():
        print_line(line)
    if not (found.versions or found.runs or found.objects):
        print_line(f"nothing that is older than {days} days can go")
    else:
        again = f"mlcore gc --days {days} --apply"
        print_line("removed" if apply else f"nothing was removed; `{again}` removes it")


def show_history(as_json: bool) -> None:
    """Who moved the champion, when, from what to what, why, on which evidence."""
    from ml_core.promotion import history

    registry = the_registry()
    known = history.read(registry)
    aliases = registry.aliases()
    odd = history.oddities(known)
    stands = aliases.get(history.CHAMPION)
    if known.head and known.head.done and stands != known.head.version:
        leads = "is gone" if stands is None else f"leads to version {stands}"
        odd.append(
            f"the alias champion {leads}, the history says version {known.head.version}; the next promote or "
            "rollback puts that right"
        )
    if as_json:
        entries = [dataclasses.asdict(entry) for entry in known.entries]
        print_json({"model": registry.name, "aliases": aliases, "entries": entries, "odd": odd})
        return
    if not known.entries:
        print_line(f"{registry.name}: nothing was promoted yet; `mlcore promote` does")
    for entry in known.entries:
        print_line(f"{entry.number:3}  {history.sentence(entry)}")
        for name in ("files", "checked", "git.sha", "data.md5", "approved_by"):
            if entry.evidence.get(name):
                print_line(f"       {name:12} {entry.evidence[name]}")
    for alias, version in sorted(aliases.items()):
        print_line(f"{alias:>10} -> version {version}")
    for line in odd:
        print_error(line)


def the_registry():
    """The registry of the model that params.yaml is about."""
    from ml_core.tracking.gather import data_name

    tags = {"data": data_name(plan.load(Path("params.yaml")).get("data") or {})}
    return with_registry(tracker()).registry(chosen_policy().name_for(tags))
