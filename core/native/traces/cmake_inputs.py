"""What CMake read when it wrote what ninja or make go by. Source: CMake 3.25. Pure.

Of a large `build.ninja` this one rule is found in milliseconds, where `ninja_file` takes all of it apart in seconds.
"""


def cmake_inputs(build_ninja: bytes) -> tuple[str, ...]:
    """What CMake read when it wrote this `build.ninja`: inputs of the rule that runs it again."""
    at = build_ninja.find(b": RERUN_CMAKE")
    if at < 0:
        return ()
    end = at
    while (end := build_ninja.find(b"\n", end)) >= 0 and build_ninja[end - 1 : end] == b"$":
        end += 1
    rule = build_ninja[at : end if end >= 0 else len(build_ninja)].replace(b"$\n", b" ")
    words = _ninja_words(rule.partition(b"RERUN_CMAKE")[2])
    return tuple(word for word in words if word not in ("|", "||"))


def _ninja_words(text: bytes) -> list[str]:
    """Words of a build statement: `$ ` is a blank, `$:` a colon, `$$` a dollar."""
    kept = text.replace(b"$$", b"\0").replace(b"$ ", b"\1").replace(b"$:", b":")
    return [word.replace(b"\0", b"$").replace(b"\1", b" ").decode("utf-8", "surrogateescape") for word in kept.split()]


def make_inputs(makefile_cmake: bytes) -> tuple[str, ...]:
    """What CMake read when it wrote makefiles: `CMAKE_MAKEFILE_DEPENDS` of `CMakeFiles/Makefile.cmake`; relative ones
    are below the build dir."""
    _, has, rest = makefile_cmake.partition(b"set(CMAKE_MAKEFILE_DEPENDS")
    if not has:
        return ()
    words = (line.strip() for line in rest.partition(b")")[0].split(b"\n"))
    return tuple(word[1:-1].decode("utf-8", "surrogateescape") for word in words if word[:1] == b'"' == word[-1:])
