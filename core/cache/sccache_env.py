"""With what environment an sccache server logs what `core.cache.sccache_log` reads."""

# The last part is what a message must begin with: without it each call is told of three times, and each poll too.
_KEPT = r"\[|service=|Got |parse_arguments: C|check_compiler: U|Compilation f|Error e|start|storage |server has|Failed "
LOG_ENV = {
    "SCCACHE_LOG": f"error,sccache=warn,sccache::compiler::compiler=debug,sccache::server=debug/^({_KEPT})",
    "SCCACHE_LOG_MILLIS": "1",
    # A backtrace with each error of the store takes 60 ms and 50 lines. `--start-server` sets RUST_BACKTRACE itself.
    "RUST_LIB_BACKTRACE": "0",
}
"""Of the server, with SCCACHE_ERROR_LOG. It appends to that file, which may be emptied at any time."""
