"""The engine's turns cost a share of a core at most, however dear one is."""

import pytest

from core.pace import MAX_SHARE, Pace


@pytest.mark.parametrize(("cost_s", "pause_s"), [(0.0001, 0.2), (0.002, 0.002 / MAX_SHARE), (0.02, 0.5)])
def test_dear_turns_become_rarer_within_limits(cost_s: float, pause_s: float) -> None:
    used = [7.0]
    pace = Pace(lambda: used[0], 0.2, 0.5)
    for _ in range(100):
        used[0] += cost_s
        found = pace.pause_s()
    assert found == pytest.approx(pause_s, rel=0.01)
