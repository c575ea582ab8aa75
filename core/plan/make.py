"""From a command line to its plan: what is there is looked at, what is wanted is read, then it is decided.

Before a build that has no mode only what is known already is used: no program is asked.
"""

import os
from typing import Any, NamedTuple

from core.errors import ModeRefused
from core.paths import Paths
from core.plan import choose
from core.plan.decide import decide
from core.plan.decide_case import unknown_profile
from core.plan.decide_scope import NAMES_PACKAGES
from core.plan.found import Found
from core.plan.given import Origin, Trouble
from core.plan.look import look
from core.plan.plan import Finding, Plan
from core.plan.small_file import read_small
from core.plan.wish import Wish
from core.run import cache, target
from core.run.command import Command
from core.run.decided import MAX_NOTICE

_MAX_LOCK_BYTES = 1 << 26
_TAKE_PACKAGES = ("build", "check", "clippy", "test", "nextest", "doc", "bench")


class Prepared(NamedTuple):
    """What is known before it is decided where to build, and with which cache."""

    command: Command
    found: Found
    chosen: choose.Chosen
    wish: Wish

    @property
    def cache_asked(self) -> tuple[str, str] | None:
        """The cache that the mode asks for, and where that stands."""
        given = self.wish.mode.options.get("cache")
        return (given.value, given.origin.shown) if given is not None else None

    @property
    def namespace(self) -> str:
        """What objects depend on beside their command lines: the features of this processor, where they are used."""
        return self.found.native_features

    def subject(self, agent: str, checkout: str, own: str) -> target.Subject:
        """Who builds what, to choose a target dir for."""
        is_keyed = self.chosen.own.target_dir_key.value == "full"
        key = self._full_key() if is_keyed else self.namespace
        return target.Subject(agent, checkout, own, key, is_keyed)

    def _full_key(self) -> str:
        """Toolchain, target, lock file and features."""
        options, toolchain = self.wish.options, self.found.toolchain
        features = ",".join(sorted(options.get("features", ()))) + "".join(
            name for name in ("all-features", "no-default-features") if name in options
        )
        if self.wish.features is not None:
            features += f",{self.wish.features.value}"
        target = self.found.target.triple if self.found.target is not None else toolchain.host
        version = ".".join(map(str, toolchain.rustc)) + toolchain.channel + toolchain.name
        return "\n".join((self.namespace, version, target, _digest_of(self.command.root + "/Cargo.lock"), features))


class Planned(NamedTuple):
    """A plan, and what it rests on."""

    plan: Plan
    found: Found
    wish: Wish
    overruled: tuple[tuple[Origin, str], ...] = ()
    """Places that name another mode and count less than the one that was chosen, those that count more first."""
    troubles: tuple[Trouble, ...] = ()
    """What cannot be used of `deck.toml`, of our settings and of the variables; the plan goes without it."""

    @property
    def record(self) -> dict[str, Any]:
        """For `run.json`."""
        return {
            "is_planned": True,
            "mode": self.plan.mode or None,
            "mode_origin": self.plan.mode_origin.shown,
            "plan": [one.record() for one in self.plan.settings],
            "findings": [one.record() for one in (*map(_unusable, self.troubles), *self.plan.findings)],
        }

    @property
    def notices(self) -> tuple[str, ...]:
        """To be said before the build's own words: what cannot be used, and what will have it fail."""
        fails = (_sentence(one) for one in self.plan.findings if one.severity == "error")
        return tuple(map(_cut, (*(one.sentence for one in self.troubles), *fails)))


def prepare(
    paths: Paths, command: Command, *, flag: str | None = None, may_ask: bool = False, has_wishes: bool = True
) -> Prepared:
    """Look at what is there, and read what is wanted.

    Args:
        paths: Ours.
        command: What is to be built.
        flag: Value of `--mode`; None: not given.
        may_ask: Programs that nobody asked yet may be asked, which takes half a second.
        has_wishes: False: it was started without a mode and without wishes, whatever variables and files of ours say
            now; no program is started but for `may_ask`.

    Raises:
        ModeRefused: `flag` names no mode that can be used here.
    """
    chosen, wish = choose.Chosen(), _typed(command)
    if has_wishes:
        chosen, wish = _wished(command, choose.choose_mode(paths.cache, flag=flag, env=command.env, root=command.root))
    if chosen.is_refused:
        raise ModeRefused(chosen.troubles[-1].sentence)
    mode, cpu, cache = wish.mode, wish.mode.options.get("target-cpu"), wish.mode.options.get("nvcc-cache")
    found = look(
        paths, cwd=command.cwd, env=command.env, root=command.root, toolchain_word=command.parsed.toolchain or "",
        target=command.parsed.value("target") or "", settings=command.config.settings,
        may_ask=may_ask or bool(mode.name), uses_native=cpu is not None and cpu.value == "native",
        started_in=command.started_in, asks_cmake=cache is not None and cache.value in ("sccache", "ccache"),
    )  # fmt: skip
    return Prepared(command, found, chosen, _with_changed(wish, command))


def _wished(command: Command, chosen: choose.Chosen) -> tuple[choose.Chosen, Wish]:
    """What is wanted with a mode; refused, too, where nobody defines the profile of one that the flag names."""
    wish = _typed(command)
    if chosen.is_refused or not command.takes_flags:
        return chosen, wish
    features, verbose = choose.read_features(command.env, chosen.own), choose.read_verbose(command.env, chosen.own)
    wish = wish._replace(mode=chosen.mode, features=features, is_verbose=verbose)
    wrong = unknown_profile(command.config.settings, wish)
    if wrong is None or _is_named_above(command, wish.mode.options["profile"].value):
        return chosen, wish
    is_refused = wish.mode.chosen_by.place == choose.FLAG
    return chosen._replace(troubles=(*chosen.troubles, wrong), is_refused=is_refused), wish


def _is_named_above(command: Command, profile: str) -> bool:
    """A manifest around the build names a profile: it may be the workspace's, where that is written as nobody expects
    it."""
    folder = os.path.dirname(os.path.join(command.cwd, command.parsed.value("manifest-path") or "Cargo.toml"))
    while not all(word in (read_small(folder + "/Cargo.toml") or b"") for word in (b"profile", profile.encode())):
        above = os.path.dirname(folder)
        if above == folder:
            return False
        folder = above
    return True


def _typed(command: Command) -> Wish:
    """What the command line alone asks for."""
    parsed = command.parsed
    return Wish(subcommand=parsed.command.name if parsed.command else parsed.subcommand, options=parsed.options)


def _with_changed(wish: Wish, command: Command) -> Wish:
    """The wish with the packages that differ, where the mode asks for them."""
    given = wish.mode.options.get("packages")
    if given is None or given.value == "all" or wish.subcommand not in _TAKE_PACKAGES:
        return wish
    if named := next((name for name in NAMES_PACKAGES if name in wish.options), None):
        return wish._replace(changed_reason=f"--{named} is on the command line")
    from core.plan.workspace import changed_packages

    with_dependants = given.value == "changed+dependants"
    found = changed_packages(command.cargo, command.root, command.env, with_dependants=with_dependants)
    return wish._replace(changed=found.packages, changed_reason=found.reason)


def finish(prepared: Prepared, where: target.Target, cached: cache.Chosen, *, agents: int = 1) -> Planned:
    """Decide."""
    wish = prepared.wish._replace(
        cache=cached.value, cache_reason=cached.reason, target_dir=where.path or "", target_dir_source=where.source,
        target_dir_reason=where.reason, agents=agents,
    )  # fmt: skip
    plan = decide(prepared.found, wish)
    chosen = prepared.chosen
    return Planned(plan, prepared.found, wish, chosen.others, chosen.troubles)


def preview(paths: Paths, *, words: tuple[str, ...], cwd: str, env: dict[str, str], mode: str | None = None,
            agent: str = "") -> Planned:  # fmt: skip
    """The plan of a cargo command that is not started. Programs are asked what they are where nobody asked them yet
    (half a second in all); nothing else is changed.

    Args:
        paths: Ours.
        words: After `cargo`.
        cwd: Where it would run.
        env: Its environment.
        mode: As `--mode` says it; None: as variables and files say.
        agent: Who would build; empty: as the environment says.

    Raises:
        ModeRefused: `mode` names none that can be used here.
    """
    from core.plan.figures import with_figures
    from core.run import begin

    command = begin.command_of(paths, words, cwd, env)
    prepared = prepare(paths, command, flag=mode, may_ask=True)
    cached = cache.preview_cache(
        paths, command.config, env, root=command.root, given=command.parsed.options.get("config", ()),
        asked=prepared.cache_asked,
    )  # fmt: skip
    planned = finish(_with_manifests(paths, prepared), _foreseen(paths, prepared, agent, cwd), cached)
    return with_mends(planned._replace(plan=with_figures(planned.plan)))


def _foreseen(paths: Paths, prepared: Prepared, agent: str, cwd: str) -> target.Target:
    """Where it would build."""
    from core.run import decided, identity

    command = prepared.command
    where = decided.own_target(command)
    if where.source != "default" or where.path is None:
        return where
    name = agent or identity.find_agent(None, command.env, cwd).name
    return target.foresee_target(paths, prepared.subject(name, command.root, where.path))


def _with_manifests(paths: Paths, prepared: Prepared) -> Prepared:
    """With what is wrong in the manifests that cargo will read: a build is told by cargo itself."""
    from core.plan.manifests import manifest_troubles

    command, found = prepared.command, prepared.found
    if command.parsed.command is None:
        return prepared
    home = command.env.get("CARGO_HOME") or os.path.expanduser("~/.cargo")
    wrong = manifest_troubles(paths.cache, command.cwd, command.parsed.value("manifest-path") or "", home.rstrip("/"))
    settings = found.settings
    settings = settings._replace(troubles=tuple(dict.fromkeys((*settings.troubles, *wrong))))
    return prepared._replace(found=found._replace(settings=settings))


def with_mends(planned: Planned) -> Planned:
    """With the diffs that mend what was found: not on the way to a build, where it may take 10 ms."""
    from core.plan.mended import mended

    return planned._replace(plan=planned.plan._replace(findings=mended(planned.plan.findings)))


def _digest_of(path: str) -> str:
    """Of a file's content; empty: it is not there."""
    import hashlib

    content = read_small(path, _MAX_LOCK_BYTES)
    return hashlib.blake2b(content, digest_size=8).hexdigest() if content is not None else ""


def _unusable(trouble: Trouble) -> Finding:
    """What is wrong with settings of ours, for those who do not see what is said before the build."""
    from core.plan.findings import of_trouble

    return of_trouble(trouble._replace(why=_cut(trouble.why)), "The build goes without it.")


def _cut(text: str) -> str:
    return text if len(text) <= MAX_NOTICE else text[: MAX_NOTICE - 1] + "…"


def _sentence(finding: Finding) -> str:
    """What it is, where it stands, and the command that mends it, where one does; else where the mend is to be seen."""
    places = [one.origin.shown for one in finding.evidence if one.origin.place.startswith("/")]
    where = f" ({places[0]})" if places and places[0] not in finding.title else ""
    how = f": {finding.mend}" if finding.mend and "\n" not in finding.mend else ""
    if not finding.mend and finding.changes:
        how = "; `cargo deck plan --why` shows what mends it"
    return f"{finding.title}{where}{how}"
