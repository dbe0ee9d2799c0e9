//! Reads the classic scripts of a worker: its own script, and the scripts that `importScripts`
//! names.

use std::sync::Arc;
use std::time::Duration;

use deno_core::OpState;
use deno_core::url;
use deno_core::url::Url;
use deno_fetch::CreateHttpClientOptions;
use deno_fetch::ReqBody;
use deno_permissions::CheckSpecifierKind;
use deno_permissions::PermissionCheckError;
use deno_permissions::PermissionsContainer;
use deno_tls::RootCertStoreProvider;
use deno_web::BlobStoreTrait;
use http::HeaderMap;
use http::StatusCode;
use http::header;
use http_body_util::BodyExt;
use tokio::sync::oneshot;

use crate::module_loader::source;
use crate::module_loader::source::LoadError;
use crate::module_permissions::Reader;
use crate::root_certs::RootCerts;
use crate::shared_options::SharedOptions;
use crate::web_worker::lifeline::Lifeline;

/// Reads scripts. Reading does not need the thread of the engine.
#[derive(Clone)]
pub(crate) struct ScriptSource {
    permissions: PermissionsContainer,
    blob_store: Arc<dyn BlobStoreTrait>,
    root_certs: Arc<RootCerts>,
    unsafely_ignore_certificate_errors: Option<Vec<String>>,
    user_agent: String,
}

impl ScriptSource {
    /// Reads the scripts that `permissions` allow to be read.
    pub(crate) fn new(shared: &SharedOptions, permissions: PermissionsContainer) -> Self {
        Self {
            permissions,
            blob_store: shared.blob_store.clone(),
            root_certs: shared.root_certs.clone(),
            unsafely_ignore_certificate_errors: shared.unsafely_ignore_certificate_errors.clone(),
            user_agent: shared.user_agent.clone(),
        }
    }

    /// Reads the scripts that the worker itself may read.
    pub(crate) fn of(state: &OpState) -> Self {
        Self::new(
            state.borrow::<SharedOptions>(),
            state.borrow::<PermissionsContainer>().clone(),
        )
    }

    /// Reads the script at `url`.
    ///
    /// # Errors
    /// [`ScriptError`] if the script is not allowed, does not exist, or is not a script.
    pub(crate) async fn read(self, url: Url) -> Result<Script, ScriptError> {
        if matches!(url.scheme(), "http" | "https") {
            let (sender, receiver) = oneshot::channel();
            self.spawn_fetch(url.clone(), sender)?;
            return receiver
                .await
                .unwrap_or_else(|_| Err(ScriptError::failed(&url, "the thread ended")));
        }
        self.read_here(url)
    }

    /// Like [`Self::read`], but blocks the thread. Returns nothing if the worker should end in the
    /// meantime.
    pub(crate) fn read_blocking(
        self,
        url: Url,
        lifeline: &Lifeline,
    ) -> Result<Option<Script>, ScriptError> {
        if !matches!(url.scheme(), "http" | "https") {
            return self.read_here(url).map(Some);
        }
        let (sender, mut receiver) = oneshot::channel();
        self.spawn_fetch(url.clone(), sender)?;
        while !lifeline.must_end() {
            match receiver.try_recv() {
                Ok(result) => return result.map(Some),
                Err(oneshot::error::TryRecvError::Empty) => std::thread::sleep(POLL_INTERVAL),
                Err(oneshot::error::TryRecvError::Closed) => {
                    return Err(ScriptError::failed(&url, "the thread ended"));
                }
            }
        }
        Ok(None)
    }

    fn read_here(self, url: Url) -> Result<Script, ScriptError> {
        self.check(&url)?;
        let reader = Reader::Script(&self.permissions);
        let (bytes, _) =
            source::read(&url, Some(&*self.blob_store), reader).map_err(|error| match error {
                LoadError::Permission(error) => ScriptError::Permission(error),
                error => ScriptError::Read(error),
            })?;
        Ok(Script::new(url, bytes))
    }

    fn check(&self, url: &Url) -> Result<(), ScriptError> {
        Ok(self
            .permissions
            .check_specifier(url, CheckSpecifierKind::Dynamic)?)
    }

    /// Fetches on another thread, because the worker's own thread blocks while its script waits.
    fn spawn_fetch(
        self,
        url: Url,
        sender: oneshot::Sender<Result<Script, ScriptError>>,
    ) -> Result<(), ScriptError> {
        let failed = |error: std::io::Error| ScriptError::failed(&url, error);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let target = url.clone();
        std::thread::Builder::new()
            .name("worker script".to_string())
            .spawn(move || {
                // This fails if the worker has ended, which then needs no script.
                let _ = sender.send(runtime.block_on(self.fetch(target)));
            })
            .map_err(failed)?;
        Ok(())
    }

    async fn fetch(self, mut url: Url) -> Result<Script, ScriptError> {
        let client = deno_fetch::create_http_client(
            &self.user_agent,
            CreateHttpClientOptions {
                root_cert_store: Some(
                    self.root_certs
                        .get_or_try_init()
                        .map_err(|error| ScriptError::failed(&url, error))?
                        .clone(),
                ),
                permissions: Some(self.permissions.clone()),
                unsafely_ignore_certificate_errors: self.unsafely_ignore_certificate_errors.clone(),
                ..Default::default()
            },
        )
        .map_err(|error| ScriptError::failed(&url, error))?;
        for _ in 0..=MAX_REDIRECTS {
            self.check(&url)?;
            let request = http::Request::get(url.as_str())
                .body(ReqBody::empty())
                .map_err(|error| ScriptError::failed(&url, error))?;
            let response = client
                .clone()
                .send(request)
                .await
                .map_err(|error| ScriptError::failed(&url, error))?;
            if let Some(location) = redirect(response.status(), response.headers()) {
                url = url
                    .join(location)
                    .ok()
                    .filter(|url| matches!(url.scheme(), "http" | "https"))
                    .ok_or_else(|| ScriptError::failed(&url, "redirected to no URL"))?;
                continue;
            }
            if !response.status().is_success() {
                return Err(ScriptError::failed(&url, response.status()));
            }
            if !is_javascript(response.headers()) {
                return Err(ScriptError::failed(
                    &url,
                    "its Content-Type is not JavaScript",
                ));
            }
            let body = response
                .into_body()
                .collect()
                .await
                .map_err(|error| ScriptError::failed(&url, error))?;
            return Ok(Script::new(url, body.to_bytes().into()));
        }
        Err(ScriptError::failed(&url, "redirected too often"))
    }
}

/// A classic script.
pub(crate) struct Script {
    /// The URL of the script, after redirects.
    pub url: Url,
    pub text: Arc<str>,
}

impl Script {
    fn new(url: Url, bytes: Vec<u8>) -> Self {
        Self {
            url,
            text: source::to_text(bytes),
        }
    }
}

/// Why a script cannot be used.
#[derive(Debug, thiserror::Error, deno_error::JsError)]
pub(crate) enum ScriptError {
    #[class(inherit)]
    #[error(transparent)]
    Permission(#[from] PermissionCheckError),
    #[class("DOMExceptionSyntaxError")]
    #[error("{0}")]
    Url(url::ParseError),
    #[class("DOMExceptionNetworkError")]
    #[error("{0}")]
    Read(LoadError),
    #[class("DOMExceptionNetworkError")]
    #[error("Script \"{url}\" failed: {reason}")]
    Failed { url: Box<Url>, reason: String },
}

impl ScriptError {
    fn failed(url: &Url, reason: impl ToString) -> Self {
        Self::Failed {
            url: Box::new(url.clone()),
            reason: reason.to_string(),
        }
    }
}

fn redirect(status: StatusCode, headers: &HeaderMap) -> Option<&str> {
    let is_redirect = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = headers.get(header::LOCATION).filter(|_| is_redirect)?;
    location.to_str().ok()
}

/// Whether the essence of the Content-Type is that of a script (MIME Sniffing,
/// section 4.6, "JavaScript MIME type").
fn is_javascript(headers: &HeaderMap) -> bool {
    const TYPES: [&str; 16] = [
        "application/ecmascript",
        "application/javascript",
        "application/x-ecmascript",
        "application/x-javascript",
        "text/ecmascript",
        "text/javascript",
        "text/javascript1.0",
        "text/javascript1.1",
        "text/javascript1.2",
        "text/javascript1.3",
        "text/javascript1.4",
        "text/javascript1.5",
        "text/jscript",
        "text/livescript",
        "text/x-ecmascript",
        "text/x-javascript",
    ];
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|essence| {
            let essence = essence.trim();
            TYPES.iter().any(|it| it.eq_ignore_ascii_case(essence))
        })
}

/// The limit is the same as that of `fetch`.
const MAX_REDIRECTS: usize = 20;
/// How often a script that waits for another script looks whether that has come.
const POLL_INTERVAL: Duration = Duration::from_millis(1);
