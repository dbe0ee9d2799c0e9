//! Deno, with duplex in the place of the crate `deno_websocket`.

fn main() {
    deno::main();
}
