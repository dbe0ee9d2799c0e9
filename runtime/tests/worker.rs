//! Runs programs in a worker without the command line.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

use std::rc::Rc;

use duplex_runtime::MainWorker;
use duplex_runtime::WorkerOptions;
use duplex_runtime::deno_core::StaticModuleLoader;
use duplex_runtime::deno_core::error::CoreError;
use duplex_runtime::deno_core::error::CoreErrorKind;
use duplex_runtime::deno_core::url::Url;
use duplex_runtime::permissions;

/// Runs `source` as a main module with all permissions.
fn run(source: &'static str) -> Result<i32, CoreError> {
    run_with(source, |_| ())
}

fn run_with(
    source: &'static str,
    configure: impl FnOnce(&mut WorkerOptions),
) -> Result<i32, CoreError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let main_module = Url::parse("file:///main.js").unwrap();
        let loader = Rc::new(StaticModuleLoader::with(main_module.clone(), source));
        let mut options = WorkerOptions::new(main_module, permissions::allow_all(), loader);
        configure(&mut options);
        let mut worker = MainWorker::new(options).unwrap();
        worker.run_main_module().await
    })
}

/// The message of the program's uncaught exception.
fn exception_of(source: &'static str) -> String {
    match *run(source).unwrap_err().0 {
        CoreErrorKind::Js(error) => error.exception_message.clone(),
        other => panic!("not an exception: {other}"),
    }
}

#[test]
fn every_global_works() {
    assert_eq!(run(include_str!("globals.js")).unwrap(), 0);
}

#[test]
fn internals_are_out_of_reach() {
    assert_eq!(run(include_str!("internals.js")).unwrap(), 0);
}

#[test]
fn globals_survive_patched_prototypes() {
    assert_eq!(run(include_str!("patched_prototypes.js")).unwrap(), 0);
}

#[test]
fn exit_code_is_what_the_program_set() {
    assert_eq!(run("Deno.exitCode = 7;").unwrap(), 7);
}

#[test]
fn events_come_in_order() {
    let code = run(r#"
        const seen = [];
        let prevented = false;
        addEventListener("load", () => seen.push("load"));
        onbeforeunload = (event) => {
          seen.push("beforeunload");
          if (!prevented) {
            prevented = true;
            event.preventDefault();
            setTimeout(() => seen.push("timer"), 1);
          }
        };
        onunload = () => {
          seen.push("unload");
          const order = seen.join();
          Deno.exitCode = order ===
              "module,load,beforeunload,timer,beforeunload,unload" ? 3 : 4;
        };
        await Promise.resolve();
        seen.push("module");
        "#);
    assert_eq!(code.unwrap(), 3);
}

#[test]
fn uncaught_errors_end_the_program() {
    assert_eq!(
        exception_of("throw new TypeError('at once');"),
        "Uncaught (in promise) TypeError: at once"
    );
    assert_eq!(
        exception_of("setTimeout(() => { throw new RangeError('later'); }, 1);"),
        "Uncaught RangeError: later"
    );
    assert_eq!(
        exception_of("setTimeout(() => { throw { not: 'an error' }; }, 1);"),
        r#"Uncaught { not: "an error" }"#
    );
}

#[test]
fn error_events_come_before_the_end() {
    let code = run(r#"
        onerror = (event) => {
          if (event.message === "Uncaught Error: caught" ) {
            event.preventDefault();
            Deno.exitCode = 5;
          }
        };
        setTimeout(() => { throw new Error("caught"); }, 1);
        "#);
    assert_eq!(code.unwrap(), 5);
}

#[test]
fn unhandled_rejections_end_the_program() {
    assert_eq!(
        exception_of("Promise.reject(new Error('nobody'));"),
        "Uncaught (in promise) Error: nobody"
    );
    let code = run(r#"
        addEventListener("unhandledrejection", (event) => {
          event.preventDefault();
          if (event.reason === 6 && event.promise instanceof Promise) {
            Deno.exitCode = event.reason;
          }
        });
        Promise.reject(6);
        "#);
    assert_eq!(code.unwrap(), 6);
}

#[test]
fn location_is_what_was_given() {
    let code = run_with(
        r#"
        if (location.href !== "https://example.com/a?b") throw location.href;
        if (!(location instanceof Location)) throw "no Location";
        if (new Request("c").url !== "https://example.com/c") throw "base";
        "#,
        |options| {
            options.location = Some(Url::parse("https://example.com/a?b").unwrap());
        },
    );
    assert_eq!(code.unwrap(), 0);
}

#[test]
fn seeds_make_crypto_repeatable() {
    let source = r#"
        const bytes = crypto.getRandomValues(new Uint8Array(4));
        Deno.exitCode = new DataView(bytes.buffer).getInt32(0);
        "#;
    let seeded = |seed| run_with(source, |options| options.seed = Some(seed)).unwrap();
    assert_eq!(seeded(1), seeded(1));
    assert_ne!(seeded(1), seeded(2));
}

#[test]
fn denied_permissions_name_the_flag() {
    let code = run_with(
        r#"
        const { state } = await Deno.permissions.query({ name: "net" });
        if (state !== "denied" && state !== "prompt") throw state;
        for (
          const act of [
            () => Deno.connect({ hostname: "127.0.0.1", port: 1 }),
            () => Deno.listen({ port: 0 }),
            () => Deno.readTextFile("/etc/hostname"),
            () => Deno.env.get("HOME"),
            () => fetch("http://127.0.0.1:8001/"),
          ]
        ) {
          let error;
          try {
            await act();
          } catch (caught) {
            error = caught;
          }
          if (!(error instanceof Deno.errors.NotCapable)) throw error;
          if (!/--allow-(net|read|env)/.test(error.message)) throw error;
        }
        "#,
        |options| {
            options.permissions = permissions::from_options(&Default::default()).unwrap();
        },
    );
    assert_eq!(code.unwrap(), 0);
}
