//! That the workspace `deno` takes the stand-ins: a patch whose version does not fit is no error.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

use std::path::Path;

/// The packages of a Cargo.lock, each with its lines.
fn packages(lock: &str) -> Vec<&str> {
    lock.split("\n[[package]]\n").skip(1).collect()
}

fn is(package: &str, name: &str) -> bool {
    package.starts_with(&format!("name = \"{name}\"\n"))
}

#[test]
fn deno_is_built_with_the_stand_ins() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deno/Cargo.lock");
    let lock = std::fs::read_to_string(path).unwrap();
    assert!(!lock.contains("[[patch.unused]]"), "the patch does not fit");
    let packages = packages(&lock);
    for name in ["deno_http", "deno_websocket"] {
        let named: Vec<_> = (packages.iter())
            .filter(|package| is(package, name))
            .collect();
        assert_eq!(named.len(), 1, "there is one {name}");
        assert!(
            !named[0].contains("source = "),
            "{name} is not that of the registry"
        );
        let user = packages.iter().find(|package| is(package, "deno_runtime"));
        assert!(
            user.unwrap().contains(&format!("\"{name}\"")),
            "{name} is used"
        );
    }
}
