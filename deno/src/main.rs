//! Deno, with duplex in the place of its crates `deno_websocket` and `deno_http`.

fn main() {
    deno::main();
}
