//! Requests to registries and to the hosts of remote modules.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread::ThreadId;
use std::time::Duration;

use deno_cache_dir::file_fetcher::SendError;
use deno_cache_dir::file_fetcher::SendResponse;
use deno_cache_dir::file_fetcher::resolve_redirect_from_headers;
use deno_core::url::Url;
use deno_error::JsErrorBox;
use deno_fetch::Client;
use deno_fetch::CreateHttpClientOptions;
use deno_fetch::ReqBody;
use deno_fetch::ResBody;
use deno_fetch::create_http_client;
use deno_fetch::dns::ResolvedDenyCheckKind;
use deno_npm_cache::DownloadError;
use deno_npm_cache::NpmCacheHttpClient;
use deno_npm_cache::NpmCacheHttpClientBytesResponse;
use deno_npm_cache::NpmCacheHttpClientResponse;
use deno_npmrc::RegistryConfig;
use deno_permissions::PermissionsContainer;
use deno_tls::RootCertStoreProvider;
use deno_tls::TlsKey;
use deno_tls::load_certs;
use deno_tls::load_private_keys;
use http::HeaderMap;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use http_body_util::BodyExt;

use crate::packages::progress::Progress;

/// The options of requests.
#[derive(Clone, Default)]
pub struct Downloads {
    /// The certificate authorities that are trusted. The default is Mozilla's list.
    pub root_certs: Option<Arc<dyn RootCertStoreProvider>>,
    /// Hosts whose certificates are not verified. An empty list means all hosts.
    pub unsafely_ignore_certificate_errors: Option<Vec<String>>,
    /// The header `User-Agent`.
    pub user_agent: String,
}

impl fmt::Debug for Downloads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Downloads").finish_non_exhaustive()
    }
}

impl Downloads {
    fn client(
        &self,
        key: Option<TlsKey>,
        permissions: Option<PermissionsContainer>,
    ) -> Result<Client, JsErrorBox> {
        let root_cert_store = match &self.root_certs {
            Some(root_certs) => Some(root_certs.get_or_try_init()?.clone()),
            None => None,
        };
        let user_agent = match self.user_agent.is_empty() {
            true => concat!("Deno/duplex-", env!("CARGO_PKG_VERSION")),
            false => &self.user_agent,
        };
        let options = CreateHttpClientOptions {
            root_cert_store,
            unsafely_ignore_certificate_errors: self.unsafely_ignore_certificate_errors.clone(),
            client_cert_chain_and_key: key,
            permissions,
            // The host name was allowed, but it may resolve to an address that is denied.
            resolved_deny_check_kind: ResolvedDenyCheckKind::Import,
            ..Default::default()
        };
        create_http_client(user_agent, options).map_err(JsErrorBox::from_err)
    }
}

/// The HTTP clients that were made, so that requests share connections. There is one for each
/// certificate and each thread, because connections belong to the event loop of a thread.
#[derive(Debug, Default)]
struct Clients(Mutex<HashMap<(ThreadId, Option<String>), Client>>);

impl Clients {
    fn get(
        &self,
        certificate: Option<&String>,
        make: impl FnOnce() -> Result<Client, JsErrorBox>,
    ) -> Result<Client, JsErrorBox> {
        let key = (std::thread::current().id(), certificate.cloned());
        let mut clients = self.0.lock().unwrap_or_else(|error| error.into_inner());
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let client = make()?;
        clients.insert(key, client.clone());
        Ok(client)
    }
}

/// The client for npm registries.
#[derive(Debug)]
pub(super) struct RegistryClient {
    downloads: Downloads,
    clients: Clients,
    progress: Progress,
}

impl RegistryClient {
    pub(super) fn new(downloads: Downloads, progress: Progress) -> Self {
        Self {
            downloads,
            clients: Clients::default(),
            progress,
        }
    }

    fn client(&self, config: Option<&RegistryConfig>) -> Result<Client, JsErrorBox> {
        let files =
            config.and_then(|config| Some((config.certfile.as_ref()?, config.keyfile.as_ref()?)));
        self.clients.get(files.map(|(cert, _)| cert), || {
            let key = files.map(|(cert, key)| read_key(cert, key)).transpose()?;
            self.downloads.client(key, None)
        })
    }

    async fn download(
        &self,
        client: &Client,
        url: &Url,
        headers: &HeaderMap,
    ) -> Result<NpmCacheHttpClientResponse, DownloadError> {
        let response = get(client, url, headers).await.map_err(|error| error.0)?;
        match response.status() {
            StatusCode::NOT_FOUND => return Ok(NpmCacheHttpClientResponse::NotFound),
            StatusCode::NOT_MODIFIED => return Ok(NpmCacheHttpClientResponse::NotModified),
            status if !status.is_success() => {
                return Err(DownloadError {
                    status_code: Some(status.as_u16()),
                    error: JsErrorBox::type_error(format!("Bad response: {status} from {url}")),
                });
            }
            _ => {}
        }
        let etag = response
            .headers()
            .get(header::ETAG)
            .and_then(|etag| etag.to_str().ok())
            .map(String::from);
        let bytes = body(response).await.map_err(|error| DownloadError {
            status_code: None,
            error,
        })?;
        Ok(NpmCacheHttpClientResponse::Bytes(
            NpmCacheHttpClientBytesResponse { bytes, etag },
        ))
    }
}

#[async_trait::async_trait(?Send)]
impl NpmCacheHttpClient for RegistryClient {
    async fn download_with_retries_on_any_tokio_runtime(
        &self,
        url: Url,
        auth: Option<String>,
        etag: Option<String>,
        config: Option<&RegistryConfig>,
    ) -> Result<NpmCacheHttpClientResponse, DownloadError> {
        let _task = self.progress.download(url.as_str());
        let failed = |error| DownloadError {
            status_code: None,
            error,
        };
        let client = self.client(config).map_err(failed)?;
        let mut headers = HeaderMap::new();
        for (name, value) in [(header::AUTHORIZATION, auth), (header::IF_NONE_MATCH, etag)] {
            if let Some(value) = value {
                let value = HeaderValue::try_from(value)
                    .map_err(|error| failed(JsErrorBox::type_error(error.to_string())))?;
                headers.insert(name, value);
            }
        }
        let mut wait = FIRST_WAIT;
        for _ in 1..ATTEMPTS {
            match self.download(&client, &url, &headers).await {
                // An error of the request itself (4xx) would come again.
                Err(error) if error.status_code.is_none_or(|status| status >= 500) => {
                    log::debug!("{url}: {}, trying again", error.error);
                    tokio::time::sleep(wait).await;
                    wait *= 2;
                }
                answer => return answer,
            }
        }
        self.download(&client, &url, &headers).await
    }
}

const ATTEMPTS: u32 = 4;
const FIRST_WAIT: Duration = Duration::from_millis(100);
const REDIRECTS: usize = 5;

/// Fetches remote modules. It does not follow redirects, because its caller does.
#[derive(Debug)]
pub(super) struct ModuleClient {
    downloads: Downloads,
    clients: Clients,
    progress: Progress,
    /// The permissions whose `--deny-import` is also checked for the resolved addresses.
    permissions: Option<PermissionsContainer>,
}

impl ModuleClient {
    pub(super) fn new(
        downloads: Downloads,
        progress: Progress,
        permissions: Option<PermissionsContainer>,
    ) -> Self {
        Self {
            downloads,
            clients: Clients::default(),
            progress,
            permissions,
        }
    }

    async fn attempt(
        &self,
        client: &Client,
        url: &Url,
        headers: &HeaderMap,
    ) -> Result<SendResponse, SendError> {
        let response = send(client, url, headers)
            .await
            .map_err(|error| SendError::Failed(Box::new(error)))?;
        let status = response.status();
        if status == StatusCode::NOT_MODIFIED {
            return Ok(SendResponse::NotModified);
        }
        if status.is_redirection() {
            return Ok(SendResponse::Redirect(response.into_parts().0.headers));
        }
        if status == StatusCode::NOT_FOUND {
            return Err(SendError::NotFound);
        }
        if !status.is_success() {
            return Err(SendError::StatusCode(status));
        }
        let headers = response.headers().clone();
        match body(response).await {
            Ok(bytes) => Ok(SendResponse::Success(headers, bytes)),
            Err(error) => Err(SendError::Failed(Box::new(error))),
        }
    }
}

#[async_trait::async_trait(?Send)]
impl deno_cache_dir::file_fetcher::HttpClient for ModuleClient {
    async fn send_no_follow(
        &self,
        url: &Url,
        headers: HeaderMap,
    ) -> Result<SendResponse, SendError> {
        let _task = self.progress.download(url.as_str());
        let client = self
            .clients
            .get(None, || {
                self.downloads.client(None, self.permissions.clone())
            })
            .map_err(|error| SendError::Failed(Box::new(error)))?;
        match self.attempt(&client, url, &headers).await {
            Err(SendError::Failed(error)) => {
                log::debug!("{url}: {error}, trying again");
            }
            Err(SendError::StatusCode(status)) if status.is_server_error() => {
                log::debug!("{url}: {status}, trying again");
            }
            answer => return answer,
        }
        tokio::time::sleep(FIRST_WAIT).await;
        self.attempt(&client, url, &headers).await
    }
}

/// An error of this crate in the form that the crate of the registry takes.
struct Failed(DownloadError);

impl From<JsErrorBox> for Failed {
    fn from(error: JsErrorBox) -> Self {
        Self(DownloadError {
            status_code: None,
            error,
        })
    }
}

/// Sends a request and follows redirects. Credentials are sent only to the host that they were
/// given for.
async fn get(
    client: &Client,
    url: &Url,
    headers: &HeaderMap,
) -> Result<http::Response<ResBody>, Failed> {
    let mut url = url.clone();
    let mut headers = headers.clone();
    for _ in 0..=REDIRECTS {
        let response = send(client, &url, &headers).await?;
        let status = response.status();
        if !status.is_redirection() || status == StatusCode::NOT_MODIFIED {
            return Ok(response);
        }
        let target = resolve_redirect_from_headers(&url, response.headers())
            .map_err(|error| JsErrorBox::type_error(error.to_string()))?;
        if !may_keep_credentials(&url, &target) {
            headers.remove(header::AUTHORIZATION);
        }
        url = target;
    }
    Err(JsErrorBox::type_error(format!("Too many redirects, the last to {url}")).into())
}

fn may_keep_credentials(from: &Url, to: &Url) -> bool {
    let is_weaker = from.scheme() == "https" && to.scheme() != "https";
    from.host() == to.host() && from.port() == to.port() && !is_weaker
}

async fn send(
    client: &Client,
    url: &Url,
    headers: &HeaderMap,
) -> Result<http::Response<ResBody>, JsErrorBox> {
    let mut request = http::Request::new(ReqBody::empty());
    *request.uri_mut() = http::Uri::try_from(url.as_str())
        .map_err(|error| JsErrorBox::type_error(error.to_string()))?;
    *request.headers_mut() = headers.clone();
    client
        .clone()
        .send(request)
        .await
        .map_err(JsErrorBox::from_err)
}

async fn body(response: http::Response<ResBody>) -> Result<Vec<u8>, JsErrorBox> {
    let collected = response.into_body().collect().await?;
    Ok(collected.to_bytes().into())
}

fn read_key(cert: &str, key: &str) -> Result<TlsKey, JsErrorBox> {
    let read = |path: &str| {
        std::fs::read(path).map_err(|error| {
            JsErrorBox::type_error(format!(
                "Unable to read {path}, which .npmrc names: {error}"
            ))
        })
    };
    let certs = load_certs(&mut read(cert)?.as_slice()).map_err(JsErrorBox::from_err)?;
    let mut keys = load_private_keys(&read(key)?).map_err(JsErrorBox::from_err)?;
    match keys.is_empty() {
        true => Err(JsErrorBox::type_error(format!("There is no key in {key}"))),
        false => Ok(TlsKey(certs, keys.remove(0))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_stay_with_their_host() {
        let url = |url: &str| Url::parse(url).unwrap();
        for (from, to, kept) in [
            ("https://a.com/x", "https://a.com/y", true),
            ("http://a.com/x", "https://a.com/y", true),
            ("https://a.com/x", "http://a.com/y", false),
            ("https://a.com/x", "https://b.com/x", false),
            ("https://a.com/x", "https://a.com:8443/x", false),
        ] {
            let keeps = may_keep_credentials(&url(from), &url(to));
            assert_eq!(keeps, kept, "{from} {to}");
        }
    }
}
