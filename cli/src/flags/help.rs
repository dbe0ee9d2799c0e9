//! The texts of the help that are not about single flags.

pub(super) const ABOUT: &str =
    "Runs JavaScript and TypeScript programs that serve and dial WebSockets.

A program uses the web's API (WebSocket, fetch, streams, …) and Deno's for servers
(Deno.serve, Deno.upgradeWebSocket). It may use nothing but its own modules until
a flag allows it, or until the user answers a question on the terminal.";

pub(super) const EXAMPLES: &str = "\x1b[1mExamples:\x1b[0m
  duplex run --allow-net server.ts      Serve, on any port
  duplex run -N=localhost:8080 chat.ts  Serve with hostname: \"localhost\", or dial it
  duplex -A main.ts one two             Allow everything; \"run\" can be omitted
  duplex serve --port 8080 chat.ts      Serve what it exports: export default { fetch, websocket }
  duplex eval -p '1 + 1'                Print the value of an expression
  duplex connect localhost:8080         Talk to a server on the terminal

\x1b[1mEnvironment:\x1b[0m
  DENO_CERT             Like --cert
  DUPLEX_BROKER         Like --broker
  PORT                  The port of duplex serve, if neither --port nor the program names one
  DENO_JOBS             How many event loops --parallel without a number starts
  DENO_DIR              The folder of the cache of packages and remote modules
  DENO_AUTH_TOKENS      Credentials for hosts of remote modules
  DENO_TLS_CA_STORE     Trusted authorities: mozilla, system, or both with a comma
  DENO_NO_PROMPT        Like --no-prompt, when set to anything
  NPM_CONFIG_REGISTRY   The registry of packages; JSR_URL is that of JSR
  DENO_V8_FLAGS         Flags for V8, before those of the command line
  NO_COLOR, FORCE_COLOR Never, or always, colour the output";

pub(super) const SERVE_NOTES: &str = "\x1b[1mThe program:\x1b[0m
  export default {
    fetch(request, info) {
      if (info.upgrade(request)) return;
      return new Response(\"This is a WebSocket server.\");
    },
    websocket: { message(ws, data) { ws.send(data); } },
  };

\x1b[1mNotes:\x1b[0m
  The object can have all options of Deno.serve. An address that the object names needs
  --allow-net. An address of the command line, and the default, do not need it.
  SIGINT and SIGTERM close all WebSockets with code 1001. The process ends when they have
  closed. A second signal ends the process at once.";

/// `duplex 0.1.0 (release, x86_64-unknown-linux-gnu)`, then the engine and TypeScript.
pub(crate) fn long_version() -> String {
    let profile = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    let (engine, engine_version) = duplex_runtime::engine_version();
    format!(
        "{} ({profile}, {})\n{engine} {engine_version}\ntypescript {} (erased, not checked)",
        env!("CARGO_PKG_VERSION"),
        env!("TARGET"),
        duplex_runtime::TYPESCRIPT_VERSION,
    )
}
