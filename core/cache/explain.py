"""Why a unit missed: what it was made of, beside what the same unit was made of before, whoever made it."""

from dataclasses import replace

from core.cache.calls import Call
from core.cache.file_digests import FileDigests
from core.cache.inputs import gather
from core.cache.inputs_book import InputsBook
from core.cache.why import explain


class Explainer:
    """Remembers what units were made of."""

    def __init__(self, path: str) -> None:
        """`path`: of the file that remembers."""
        self._book = InputsBook(path)
        self._files = FileDigests().files

    def explain(self, call: Call, stored_at: float) -> tuple[str, str]:
        """Reason and detail of a miss; what the unit is made of now is remembered."""
        made = gather(call.argv, call.env, call.cwd, call.dep_info, files=self._files, compiler=call.compiler)
        now = replace(made, began=call.at, stored=stored_at)
        found = explain(now, self._book.find(now.unit))
        self._book.add(now)
        return found
