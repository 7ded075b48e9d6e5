"""The same attacks when the host is not root: some of each kind here, all of them with `make hostile`."""

from __future__ import annotations

import os

import pytest

from . import as_nobody

pytestmark = [
    pytest.mark.hostile,
    pytest.mark.skipif(os.getuid() != 0, reason="only root can become nobody; who runs this is unprivileged"),
]

SOME = "128 or 404 or 480 or 810 or P3 or P15 or P18 or P25 or executes or tries"


@pytest.mark.timeout(180)
def test_an_unprivileged_host_is_as_safe() -> None:
    files = ["tests/hostile/test_scripts.py", "tests/hostile/test_rogues.py"]
    result = as_nobody.run(["-q", "-p", "no:cacheprovider", "-m", "hostile", "-k", SOME, *files])
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-1000:]
    assert f"as user {as_nobody.NOBODY}" in result.stdout
    assert " none not allowed, none left anything behind" in result.stdout
