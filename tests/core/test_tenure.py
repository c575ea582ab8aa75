import os
from pathlib import Path

from core.tenure import CODE_S, Tenure, installed_code


def test_an_engine_gives_way_where_its_lock_is_another_or_gone(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    fd = os.open(lock, os.O_RDWR | os.O_CREAT)
    tenure = Tenure(str(lock), fd, lambda: 0.0)
    assert not tenure.is_over()
    lock.rename(tmp_path / "old")
    assert tenure.is_over()
    lock.write_text("")
    assert tenure.is_over()
    os.close(fd)


def test_an_engine_gives_way_where_another_version_was_installed(tmp_path: Path) -> None:
    now, code = [0.0], ["one"]
    tenure = Tenure(str(tmp_path / "lock"), -1, lambda: now[0], lambda: code[0])
    now[0] = CODE_S
    assert not tenure.is_over()
    code[0] = "two"
    assert not tenure.is_over(), "it was looked at just now"
    now[0] = 2 * CODE_S
    assert tenure.is_over()


def test_installed_code_names_every_module() -> None:
    found = installed_code()
    assert "/core/engine_loop.py:" in found
    assert "/core/cache/watch.py:" in found
    assert found == installed_code()
