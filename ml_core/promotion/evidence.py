"""What a judgement leaves: one JSON a gate, the report, a sample of answers to check a rollback by."""

import json
import secrets
from dataclasses import asdict
from pathlib import Path

from ml_core.measure import predictions
from ml_core.promotion import history
from ml_core.tracking.lineage import digest_of
from ml_core.tracking.run import Run

SAMPLE, FEW = "sample", 200  # test rows kept with what was said of them
ORIGIN = ("git.sha", "git.dirty", "git.branch", "dvc.lock", "data.md5", "data", "model", "task")


def origin(run: Run) -> dict[str, str]:
    """Tags of a version: where its model came from."""
    found = {name: run.tags[name] for name in ORIGIN if run.tags.get(name)}
    return found | {"run": run.run_id, "receipt": run.receipt}


def summary(decision) -> str:
    """One sentence about all verdicts."""
    failed = [verdict for verdict in decision.verdicts if not verdict.passed]
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        return f"refused by {failed[0].gate}: {failed[0].reason}{more}"
    judged = [verdict.gate for verdict in decision.verdicts if verdict.judged]
    return f"{len(judged)} gates passed: {', '.join(judged)}"


def write(decision) -> None:
    """The report, one JSON a gate, decision.json and a sample of answers, in ``decision.folder``."""
    from ml_core.report import document, promotion

    document.write(promotion.document(decision.duel, decision.verdicts), decision.folder / "report.md")
    for verdict in decision.verdicts:
        file = decision.folder / "verdicts" / f"{verdict.gate}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(verdict.to_json(), encoding="utf-8")
    known = {part: getattr(decision, part) for part in ("what", "run_id", "version", "champion")}
    known |= {"at": history.now(), "why": summary(decision)}
    known["gates"] = {verdict.gate: verdict.passed for verdict in decision.verdicts}
    text = json.dumps(known, indent=1, ensure_ascii=False) + "\n"
    (decision.folder / "decision.json").write_text(text, encoding="utf-8")
    if decision.duel is not None and decision.good:
        _keep_sample(decision.duel, decision.folder / SAMPLE)


def _keep_sample(duel, folder):
    """Some test rows and what was said of them, in evaluate's form: a rollback checks by them."""
    folder.mkdir()
    few = slice(0, FEW)
    said = duel.candidate.answers.take(few)
    duel.frame[few].select(list(duel.kinds)).write_parquet(folder / "rows.parquet")
    predictions.to_frame(said, duel.row[few]).write_parquet(folder / "predictions.parquet")
    names = [] if said.score is None else predictions.columns(said.classes, said.probability is not None)
    known = {"task": said.task, "classes": said.classes, "scores": names}
    known |= {"probabilities": said.probability is not None}
    known |= {"positive": said.classes[said.positive] if said.task == "binary" else None}
    (folder / "metrics.json").write_text(json.dumps(known) + "\n", encoding="utf-8")


def sample(run: Run, tracking, where: str, folder: Path):
    """What ``write`` kept of a promotion whose files lie at ``where``: parquet of rows, Predictions."""
    for name in ("rows.parquet", "predictions.parquet", "metrics.json"):
        path = tracking.fetch(run.run_id, f"{where}/{SAMPLE}/{name}", folder)
    return path.parent / "rows.parquet", predictions.from_folder(path.parent)[0]


def send(decision, registry, asked) -> str:
    """Files to the candidate's run, verdicts to its tags and its version's; where the files lie."""
    where = f"promotion/{history.now().replace(':', '')}-{secrets.token_hex(2)}"
    words = {"promotion": decision.what, "promotion.why": summary(decision)[:4000], "promotion.files": where}
    words |= {"promotion.against": decision.champion or "none", "promotion.by": asked.who}
    registry.attach(decision.run_id, decision.folder, where, words)
    gates = {
        f"gate.{one.gate}": f"{'passed' if one.passed else 'refused'}: {one.reason}"
        for one in decision.verdicts
    }
    registry.tag(decision.version, gates | {"judged": f"{words['promotion']}, {words['promotion.why']}"})
    return where


def about(asked, decision, candidate, where: str) -> dict[str, str]:
    """What the history keeps of it: small, and enough to find and check the rest."""
    known = {name: value for name, value in origin(asked.run).items() if name not in ("run", "git.branch")}
    known |= {"files": where, "sha256": digest_of(candidate.path), "approved_by": asked.approved_by}
    known["verdicts"] = digest_of_all(decision.folder)
    known["gates"] = " ".join(f"{one.gate}:{_word(one)}" for one in decision.verdicts)
    return {name: str(value)[:300] for name, value in known.items() if value}


def _word(verdict):
    return "refused" if not verdict.passed else "passed" if verdict.judged else "not-judged"


def digest_of_all(folder: Path) -> str:
    """sha256 over the verdicts' own, so that a changed verdict shows."""
    import hashlib

    whole = hashlib.sha256()
    for path in sorted((folder / "verdicts").glob("*.json")):
        whole.update(f"{path.name} {digest_of(path)}\n".encode())
    return whole.hexdigest()


def as_json(decision) -> dict:
    """The decision for a machine."""
    known = {part: getattr(decision, part) for part in ("what", "run_id", "version", "champion")}
    verdicts = [asdict(verdict) for verdict in decision.verdicts]
    return known | {"why": summary(decision) if verdicts else "", "verdicts": verdicts}
