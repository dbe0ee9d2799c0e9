//! Deno, with duplex in the place of its crates `deno_websocket` and `deno_http`.

fn main() {
    if !asks_for_gc() {
        // V8 lets go of long messages soon after a script has done with them.
        deno_websocket::collect_early(false);
    }
    deno::main();
}

/// Whether the user may want V8's flag `--expose-gc`: duplex sets it too, and hides the function.
fn asks_for_gc() -> bool {
    let flags = std::env::var("DENO_V8_FLAGS");
    let mut arguments = std::env::args_os().map(|it| it.to_string_lossy().into_owned());
    flags.is_ok_and(|flags| flags.contains("expose")) || arguments.any(|it| it.contains("expose"))
}
