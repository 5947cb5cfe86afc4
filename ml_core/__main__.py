"""mlcore: the command line. Each command imports what it needs when it is called: `mlcore --help` waits for nothing."""

import os
import sys

# The order of a sum, and with it the last digits of a model, must not depend on the number of threads of the machine's BLAS.
# Parallel work is done above it: candidates and folds over cores, and kernels over blocks added in a fixed order.
for library in ("OPENBLAS", "MKL", "BLIS", "VECLIB_MAXIMUM"):
    os.environ[f"{library}_NUM_THREADS"] = "1"
# Nothing phones home from our own commands.
for switch in ("DVC_NO_ANALYTICS", "MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
    os.environ.setdefault(switch, "true")


def main() -> None:
    """Entry point of the `mlcore` command."""
    from ml_core.cli.commands import app, run_app

    sys.exit(run_app(app, sys.argv[1:]))


if __name__ == "__main__":
    main()
