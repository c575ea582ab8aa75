"""Why a unit missed: what it was made of, beside what the same unit was made of before."""

from core.cache.calls import Call


class Explainer:
    """Remembers what units were made of."""

    def __init__(self, path: str) -> None:
        self._path = path

    def explain(self, call: Call) -> tuple[str, str]:
        """Reason and detail of a miss; what the unit is made of now is remembered."""
        return "not known", ""
