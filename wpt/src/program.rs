//! Makes a program of a page: it runs the scripts of the page one after the other in the global
//! scope.

use std::io;
use std::time::Duration;

use encoding_rs::UTF_8;
use serde_json::json;
use url::Url;

use crate::html::{HARNESS, Html, Script};
use crate::server::Server;
use crate::suite::{Page, Source};

/// Makes the program that does the same as the page, and prints the results of the subtests.
/// `limit` is the time that the program has.
///
/// # Errors
/// If one of the page's files cannot be fetched.
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
            // The program prints the results itself.
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
        // All scripts are one script, so that each sees the declarations of the ones before.
        "script": rest.join("\n;\n"),
        "isAny": is_any,
        "timeout": limit.as_millis() as u64,
    });
    Ok(format!("{PRELUDE}\nrun({page});\n"))
}

const REPORT: &str = "/resources/testharnessreport.js";
const PRELUDE: &str = include_str!("page.js");
