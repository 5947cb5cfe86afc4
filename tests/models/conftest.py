"""`pytest tests/models --golden` rewrites the golden scores; nothing else does."""

import pytest


def pytest_addoption(parser):
    parser.addoption("--golden", action="store_true", help="rewrite tests/models/golden.json")


@pytest.fixture
def rewrite(request):
    """Whether to rewrite golden numbers; False where this folder is not named on the command line."""
    return request.config.getoption("--golden", default=False)
