//! A page as a program: its scripts, run one after the other in the global scope.

use std::io;
use std::time::Duration;

use encoding_rs::UTF_8;
use serde_json::json;
use url::Url;

use crate::html::{HARNESS, Html, Script};
use crate::server::Server;
use crate::suite::{Page, Source};

/// The program that does what the page does, and prints what became of its
/// subtests. `limit` is how long it may take.
///
/// # Errors
/// One of the page's files cannot be fetched.
pub(crate) async fn compose(page: &Page, server: &Server, limit: Duration) -> io::Result<String> {
    let base = Url::parse(&server.url(page)).map_err(io::Error::other)?;
    let (scripts, is_any) = match &page.source {
        Source::Html => {
            let content = server.fetch(page, base.path()).await?;
            (Html::parse(&content).scripts, false)
        }
        Source::Script {
            path,
            includes,
            is_any,
        } => {
            let files = [HARNESS, REPORT].into_iter().map(str::to_owned);
            let files = files.chain(includes.iter().cloned());
            let files = files.chain([format!("/{path}")]);
            (files.map(Script::File).collect(), *is_any)
        }
        Source::Worker { path } => {
            let url = json!(format!("/{path}{}", page.variant));
            let start = format!("fetch_tests_from_worker(new Worker({url}));");
            (
                vec![Script::File(HARNESS.to_owned()), Script::Inline(start)],
                false,
            )
        }
    };
    let mut harness = String::new();
    let mut rest = Vec::new();
    for script in scripts {
        match script {
            Script::Inline(text) => rest.push(text),
            // The program reports by itself.
            Script::File(file) if file == REPORT => {}
            Script::File(file) => {
                let url = base.join(&file).map_err(io::Error::other)?;
                let content = server.fetch(page, url.path()).await?;
                let content = UTF_8.decode(&content).0.into_owned();
                match file == HARNESS {
                    true => harness = content,
                    false => rest.push(content),
                }
            }
        }
    }
    let page = json!({
        "harness": harness,
        // One script for all: what one of them declares is seen by the next.
        "script": rest.join("\n;\n"),
        "isAny": is_any,
        "timeout": limit.as_millis() as u64,
    });
    Ok(format!("{PRELUDE}\nrun({page});\n"))
}

const REPORT: &str = "/resources/testharnessreport.js";
const PRELUDE: &str = include_str!("page.js");
