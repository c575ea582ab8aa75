"""What the shim starts: cargo-deck where it works, else the real cargo. Arguments: path of the real cargo, words."""

import os
import sys


def main() -> int:
    """Run the words through cargo-deck; the build's exit code."""
    real, words = sys.argv[1], sys.argv[2:]
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    try:
        import importlib

        module = "tui.cli.clean" if _is_clean(words) else "tui.cli.build"
        run = importlib.import_module(module).main_shim
    except Exception as error:  # a broken installation must not break builds
        os.write(2, f"cargo-deck: not recorded: {error!r}\n".encode())
        os.execv(real, ["cargo", *words])
    code: int = run(words)
    return code


def _is_clean(words: list[str]) -> bool:
    """`cargo clean`: it builds nothing, and says what would be lost."""
    from core.run.grammar import split_globals

    return tuple(words[split_globals(tuple(words)) :][:1]) == ("clean",)


if __name__ == "__main__":
    sys.exit(main())
