"""What the shim starts: cargo-deck where it works, else the real cargo. Arguments: path of the real cargo, words."""

import os
import sys


def main() -> int:
    """Run the words through cargo-deck; the build's exit code."""
    real, words = sys.argv[1], sys.argv[2:]
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    try:
        import importlib

        run = importlib.import_module("tui.cli.build").main_shim
    except Exception as error:  # a broken installation must not break builds
        os.write(2, f"cargo-deck: not recorded: {error!r}\n".encode())
        os.execv(real, ["cargo", *words])
    code: int = run(words)
    return code


if __name__ == "__main__":
    sys.exit(main())
