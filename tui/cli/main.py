"""Which command line goes to which module; imports nothing else."""

import sys


def main(argv: list[str]) -> int:
    """Run one command; its exit code."""
    if argv[:1] == ["deck"]:
        argv = argv[1:]
    if argv[:1] == ["_shim"]:
        from tui.cli.build import main_shim

        return main_shim(argv[1:])
    if argv[:1] == ["run-all"]:
        from tui.cli.run_all import main as run_all

        return run_all(argv[1:])
    if argv[:1] == ["shim"]:
        from tui.cli.shim import main as shim

        return shim(argv[1:])
    from tui.cli.build import main as build

    return build(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
