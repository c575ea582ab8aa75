"""Why a unit missed: what it was made of, beside what the same unit was made of before."""

from dataclasses import replace

from core.cache.calls import Call
from core.cache.file_digests import FileDigests
from core.cache.inputs import gather
from core.cache.inputs_book import InputsBook
from core.cache.why import explain


class Explainer:
    """Remembers what units were made of."""

    def __init__(self, path: str) -> None:
        self._book = InputsBook(path)
        self._digests = FileDigests()

    def explain(self, call: Call, stored_at: float = 0.0) -> tuple[str, str]:
        """Reason and detail of a miss; what the unit is made of now is remembered.

        `stored_at`: when the entry was in the store; 0: not known.
        """
        now = gather(call.argv, call.env, call.cwd, call.dep_info, files=self._digests.files)
        now = replace(now, began=call.at, stored=stored_at)
        found = explain(now, self._book.find(now.unit))
        self._book.add(now)
        return found
