//! Web workers in a program that embeds the runtime.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

use std::io::Read;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;

use duplex_runtime::MainWorker;
use duplex_runtime::WorkerOptions;
use duplex_runtime::deno_core::StaticModuleLoader;
use duplex_runtime::deno_core::error::CoreError;
use duplex_runtime::deno_core::url::Url;
use duplex_runtime::packages::Node;
use duplex_runtime::permissions;
use duplex_runtime::web_worker::WebWorkerLoader;
use duplex_runtime::web_worker::WebWorkerLoaders;

/// Runs `source` as a main module whose workers run `worker`, and returns the result and the
/// engine.
async fn run(source: String, worker: Option<&'static str>) -> (Result<i32, CoreError>, MainWorker) {
    let main_module = Url::parse("file:///main.js").unwrap();
    let loader = Rc::new(StaticModuleLoader::with(main_module.clone(), source));
    let mut options = WorkerOptions::new(main_module, permissions::allow_all(), loader);
    options.web_workers = worker.map(|worker| -> WebWorkerLoaders {
        Arc::new(move |request| WebWorkerLoader {
            module_loader: Rc::new(StaticModuleLoader::with(request.main_module, worker)),
            node: Node::default(),
            format_error: Box::new(|error| error.to_string()),
        })
    });
    let mut engine = MainWorker::new(options).unwrap();
    let result = engine.run_main_module().await;
    (result, engine)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

#[test]
fn the_embedder_says_what_workers_load() {
    let source = r#"
        const worker = new Worker("file:///worker.js", { type: "module" });
        worker.onmessage = ({ data }) => { Deno.exitCode = data; };
        worker.postMessage(20);
        "#;
    let worker = "onmessage = ({ data }) => { postMessage(data + 1); close(); };";
    block_on(async {
        let (result, _engine) = run(source.to_string(), Some(worker)).await;
        assert_eq!(result.unwrap(), 21);
    });
}

#[test]
fn without_loaders_there_are_no_workers() {
    let source = r#"
        try {
          new Worker("file:///worker.js", { type: "module" });
        } catch (error) {
          if (error instanceof Deno.errors.NotSupported) Deno.exitCode = 7;
        }
        "#;
    block_on(async {
        let (result, _engine) = run(source.to_string(), None).await;
        assert_eq!(result.unwrap(), 7);
    });
}

#[test]
fn workers_end_with_their_owner() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let source = format!(
        r#"
        const worker = new Worker("file:///worker.js", {{ type: "module" }});
        worker.onmessage = () => {{ throw new Error("the owner fails"); }};
        worker.postMessage({port});
        "#
    );
    let worker = r#"
        onmessage = async ({ data: port }) => {
          const connection = await Deno.connect({ hostname: "127.0.0.1", port });
          postMessage("connected");
          for (;;);
        };
        "#;
    block_on(async {
        let (result, engine) = run(source, Some(worker)).await;
        assert!(result.unwrap_err().to_string().contains("the owner fails"));
        drop(engine);
    });
    let (mut connection, _) = listener.accept().unwrap();
    assert_eq!(connection.read(&mut [0]).unwrap(), 0);
}
