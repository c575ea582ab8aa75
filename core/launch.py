"""What is executed: one frozen value that plan, caches and fronts extend."""

from typing import NamedTuple


class Launch(NamedTuple):
    """A command as it will be executed."""

    argv: tuple[str, ...]
    """Program and arguments; the program is looked up in PATH unless it has a slash."""
    cwd: str
    env: tuple[tuple[str, str], ...] = ()
    """Variables that we add or replace."""
    unset: tuple[str, ...] = ()
    """Variables that we take away."""
    path_front: tuple[str, ...] = ()
    """Folders put in front of PATH: fronts for `cc`, `nvcc`."""
    wrappers: tuple[str, ...] = ()
    """Compiler wrappers from outer to inner, where we set them."""

    def environment(self, base: dict[str, str]) -> dict[str, str]:
        """The child's whole environment, from the caller's."""
        env = {name: value for name, value in base.items() if name not in self.unset}
        env.update(self.env)
        if self.path_front:
            env["PATH"] = ":".join((*self.path_front, env.get("PATH", "")))
        return env
