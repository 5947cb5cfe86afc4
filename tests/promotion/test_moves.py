"""kill -9 at any moment, and eight at once: one champion, and a history that tells how it came."""

import sys
from pathlib import Path

import laid_out
import pytest
import test_server

empty_store, server = laid_out.empty_store, test_server.server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
MOVES = Path(__file__).with_name("moves.py")


def moves(project, what, address, number):
    """What the moves told."""
    place = f"{MOVES.parent}:{project.folder}"
    done = project.call(sys.executable, str(MOVES), what, address, str(number), PYTHONPATH=place)
    return done.stdout.strip()


def test_fifty_kills_leave_the_old_or_the_new_champion_and_a_whole_history(finished):
    told = moves(finished, "kills", f"sqlite:///{finished.folder}/kills.db", 50)
    killed, entries = int(told.split()[1]), int(told.split()[-2])
    assert killed >= 30 and entries > 5, told


def test_eight_promotions_at_once_make_one_order_in_a_file(finished):
    assert moves(finished, "together", f"sqlite:///{finished.folder}/together.db", 8).startswith("8 at once")


def test_eight_promotions_at_once_make_one_order_over_http(finished, server):
    assert moves(finished, "together", server[0], 8).startswith("8 at once")
