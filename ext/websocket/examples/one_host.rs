//! A script that may connect to one host and to no other.
//!
//!     cargo run --release --example one_host

mod support;

use std::error::Error;
use std::sync::Arc;

use deno_core::PollEventLoopOptions;
use deno_permissions::{
    Permissions, PermissionsContainer, PermissionsOptions, RuntimePermissionDescriptorParser,
};
use sys_traits::impls::RealSys;
use tokio::net::TcpListener;

deno_core::extension!(
    one_host,
    deps = [duplex_websocket],
    esm_entry_point = "ext:one_host/globals.js",
    esm = ["ext:one_host/globals.js" = {
        source = r#"
                import { WebSocket } from "ext:duplex_websocket/01_websocket.js";
                import { core } from "ext:core/mod.js";
                globalThis.WebSocket = WebSocket;
                globalThis.print = (text) => core.print(`${text}\n`);
            "#
    },],
);

const SCRIPT: &str = r#"
    for (const host of [ALLOWED, "example.com"]) {
        try {
            const socket = new WebSocket(`ws://${host}/`);
            // No server answers there, but the permission was given.
            socket.onerror = () => print(`${host}: asked, and was not answered`);
        } catch (error) {
            print(`${host}: ${error.message}`);
        }
    }
"#;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let allowed = listener.local_addr()?.to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream);
        }
    });

    let mut runtime = support::runtime(one_host::init());
    let parser = RuntimePermissionDescriptorParser::new(RealSys);
    let options = PermissionsOptions {
        // A host, or a host and a port.
        allow_net: Some(vec![allowed.clone()]),
        ..PermissionsOptions::default()
    };
    let permissions = Permissions::from_options(&parser, &options)?;
    runtime
        .op_state()
        .borrow_mut()
        .put(PermissionsContainer::new(Arc::new(parser), permissions));

    runtime.execute_script(
        "one_host.js",
        SCRIPT.replace("ALLOWED", &format!("{allowed:?}")),
    )?;
    runtime
        .run_event_loop(PollEventLoopOptions::default())
        .await?;
    Ok(())
}
