"""What can go wrong, said so that the reader knows what to do next."""


class DeckError(Exception):
    """Base of all expected failures: the message is a sentence for the person at the terminal."""


class UsageError(DeckError):
    """The command line or a setting cannot be used as written."""


class ModeRefused(UsageError):
    """The mode that `--mode` names cannot be used: nothing is to be built."""


class SpawnError(DeckError):
    """The build could not be started."""


class StateError(DeckError):
    """The state directory cannot be read or written."""


class JournalError(DeckError):
    """A journal was written by a newer version, or is not a journal."""

    is_newer = False
    """A later cargo-deck can read it."""


class EngineError(DeckError):
    """The engine did not answer, or refused a request."""


class StoreError(DeckError):
    """The cache store did not start, or does not answer."""
