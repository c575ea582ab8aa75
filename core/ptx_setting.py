"""Whether a person wants PTX to be measured: `measure-ptx` in `config.toml`, true unless it says false."""

from core.plan.small_file import read_small, stamp

_NAME = "measure-ptx"


class MeasuresPtx:
    """Asked often: the file is read where it changed."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._stamp: str | None = None
        self._is_on = True

    def __call__(self) -> bool:
        """It is wanted. A file that cannot be read says nothing."""
        now = stamp(self._path)
        if now != self._stamp:
            self._stamp, self._is_on = now, _is_on(read_small(self._path) or b"")
        return self._is_on


def _is_on(content: bytes) -> bool:
    if _NAME.encode() not in content:
        return True
    import tomllib  # 12 ms: only where it is set

    try:
        return tomllib.loads(content.decode()).get(_NAME) is not False
    except (ValueError, RecursionError):
        return True
