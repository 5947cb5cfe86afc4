"""mlcore: the command line. A command imports what it needs when it is called; `--help` waits for nothing."""

import gc
import os
import sys

# The order of a sum, and with it the last digits of a model, must not depend on the threads of the BLAS.
# Parallel work is done above it: candidates and folds over cores, kernels over blocks added in a fixed order.
for library in ("OPENBLAS", "MKL", "BLIS", "VECLIB_MAXIMUM"):
    os.environ[f"{library}_NUM_THREADS"] = "1"
# Nothing phones home from our own commands.
for switch in ("DVC_NO_ANALYTICS", "MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
    os.environ.setdefault(switch, "true")
SELDOM = 100_000  # new objects between two garbage collections; at Python's 700 they are a fifth of an import


def main() -> None:
    """Entry point of the `mlcore` command."""
    use_code_of_this_folder()
    gc.set_threshold(SELDOM, *gc.get_threshold()[1:])
    from ml_core.cli.commands import run_app

    sys.exit(run_app(sys.argv[1:]))


def use_code_of_this_folder() -> None:
    """In another checkout than the installed one (an experiment's workspace), run the code that lies there.

    Else a queued experiment or a reproduced run would name one commit and compute with another.
    """
    here, installed = os.path.join(os.getcwd(), "ml_core", "__main__.py"), os.path.realpath(__file__)
    if (
        os.path.exists(here)
        and os.path.realpath(here) != installed
        and os.environ.get("MLCORE_CODE") != os.getcwd()
    ):
        os.environ["MLCORE_CODE"] = os.getcwd()
        paths = [os.getcwd(), *filter(None, [os.environ.get("PYTHONPATH")])]
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)
        os.execv(sys.executable, [sys.executable, "-m", "ml_core", *sys.argv[1:]])


if __name__ == "__main__":
    main()
