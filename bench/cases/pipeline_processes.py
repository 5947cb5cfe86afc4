"""The default pipeline, a process a stage: `dvc repro -f` against one bare script of the same steps.

Equal: the same metrics, bit for bit. Goal: at most three times the script's CPU seconds.
"""

import sys

import pipeline_full

FLOOR = GOAL = 1 / 3
ours = [sys.executable, "-m", "dvc", "repro", "-f", "-q"]
RIVALS, prepare, equal = pipeline_full.RIVALS, pipeline_full.prepare, pipeline_full.equal
