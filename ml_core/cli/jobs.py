"""Hydra's own jobs for people who want no DVC: the whole recipe once a job, each in a folder of its own.

`mlcore train model=ridge` is one job, `mlcore train -m model=ridge,linear` one for each combination.
"""

import sys
import time
from pathlib import Path

from ml_core import plan
from ml_core.cli import door
from ml_core.cli.commands import print_error, print_line

QUIET = ["hydra/job_logging=disabled", "hydra/hydra_logging=disabled", "hydra.output_subdir=null"]
STAMP = "${now:%Y-%m-%d}/${now:%H-%M-%S}"


def run_jobs(overrides: list[str], multirun: bool) -> None:
    """Compose conf/ from today's choices and ``overrides``, run every step, print a line a job.

    A job that fails is told and does not end the others; the first bad exit code is raised at the end.
    """
    import hydra
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    failures: list[door.Failed] = []

    def job(config) -> None:
        from hydra.core.hydra_config import HydraConfig

        try:
            _job(
                Path(HydraConfig.get().runtime.output_dir),
                HydraConfig.get().overrides.task,
                OmegaConf.to_yaml(config, resolve=True),
            )
        except door.Failed as failure:
            print_error(f"{failure.name}: {failure.message}")
            failures.append(failure)

    before = sys.argv
    sys.argv = [
        "mlcore train",
        *QUIET,
        f"hydra.run.dir=multirun/{STAMP}",
        f"hydra.sweep.dir=multirun/{STAMP}",
    ]
    sys.argv += ["hydra.sweep.subdir=${hydra.job.num}", *overrides, *(["-m"] if multirun else [])]
    try:
        hydra.main(config_path=str(Path("conf").resolve()), config_name="today", version_base=None)(job)()
    except (HydraException, OmegaConfBaseException) as error:
        from ml_core.cli.compose import reason

        raise ValueError(reason(error, Path("conf"))) from None
    finally:
        sys.argv = before
    if failures:
        raise door.Failed(failures[0].name, failures[0].code, f"{len(failures)} job(s) failed; see above")


def _job(folder, overrides, text):
    """One pass through the recipe; outputs in FOLDER/out, the params they came from beside them."""
    began = time.time()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    params = plan.load(folder / "params.yaml")
    numbers = {}
    for stage in plan.read(params=params):
        outcome = door.step(stage.name, folder / "out", params)
        if stage.name == "evaluate":
            numbers = outcome.metrics
        if outcome.notes.get("message"):
            print_error(str(outcome.notes["message"]))
    main = "  ".join(
        f"{name} {value:.4g}"
        for name, value in list(numbers.items())[:4]
        if not name.endswith((".low", ".high"))
    )
    label = " ".join(overrides) or "today's choices"
    print_line(f"{label}: {main}  ({time.time() - began:.1f} s, {folder})")
