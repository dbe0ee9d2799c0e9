//! How a client connects: its certificates, its proxy and its versions of HTTP.

use std::cell::{OnceCell, RefCell};
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use deno_core::{FromV8, OpState, ResourceId};
use deno_error::JsErrorBox;
use deno_fetch::HttpClientResource;
use deno_tls::{RootCertStoreProvider, TlsClientConfigOptions, TlsKey, TlsKeys};
use duplex_protocol::handshake::client::ResponseParser;

use super::dial_error::DialError;
use super::proxy::Proxy;
use super::tls::ClientTls;

/// The options of `Deno.createHttpClient()`, as `00_http_client.js` passes them
/// on.
#[derive(FromV8)]
pub(crate) struct ClientOptions {
    ca_certs: Vec<String>,
    #[from_v8(serde)]
    proxy: Option<deno_tls::Proxy>,
    #[from_v8(default = true)]
    http1: bool,
    #[from_v8(default = true)]
    http2: bool,
    local_address: Option<String>,
    http2_max_header_list_size: Option<u32>,
    allow_host: bool,
}

/// The settings of a `Deno.HttpClient`, or of scripts that name no client.
pub(crate) struct Connector {
    /// A client's own proxy.
    pub proxy: Option<Proxy>,
    pub local_address: Option<IpAddr>,
    pub http1: bool,
    pub http2: bool,
    pub http2_max_header_list_size: u32,
    /// Whether a script may set a Host header that differs from the host of the URL.
    pub allow_host: bool,
    pub user_agent: Option<String>,
    /// The client itself, if it was not [registered](Self::register). Such a client makes the
    /// connections itself.
    pub foreign: Option<deno_fetch::Client>,
    ca_certs: Vec<Vec<u8>>,
    key: Option<TlsKey>,
    roots: Option<Arc<dyn RootCertStoreProvider>>,
    unsafely_ignore_certificate_errors: Option<Vec<String>>,
    tls: OnceCell<Rc<ClientTls>>,
    /// Hosts and ports whose HTTP/2 was seen to carry no WebSockets.
    without_http2: RefCell<HashSet<(String, u16)>>,
}

impl Connector {
    /// The connector of `client`, or the default connector if `client` is
    /// `None`.
    pub(crate) fn of(
        state: &mut OpState,
        client: Option<ResourceId>,
    ) -> Result<Rc<Self>, DialError> {
        let Some(client) = client else {
            if let Some(connector) = Connectors::of(state).default.clone() {
                return Ok(connector);
            }
            let mut connector = Self::from_state(state);
            if let Some(options) = state.try_borrow::<deno_fetch::Options>() {
                connector.key = fixed(options.client_cert_chain_and_key.clone());
                let proxy = options.proxy.clone().map(Proxy::from_options);
                connector.proxy = proxy.transpose()?;
            }
            let connector = Rc::new(connector);
            Connectors::of(state).default = Some(connector.clone());
            return Ok(connector);
        };
        // A client that was closed is not in the table any more.
        let resource = state.resource_table.get::<HttpClientResource>(client)?;
        if let Some(connector) = Connectors::of(state).clients.get(&client) {
            return Ok(connector.clone());
        }
        let mut connector = Self::from_state(state);
        connector.allow_host = resource.allow_host;
        connector.foreign = Some(resource.client.clone());
        Ok(Rc::new(connector))
    }

    /// Makes the connector of `client`, which deno_fetch has made of the same
    /// options. deno_fetch has checked the permissions.
    pub(crate) fn register(
        state: &mut OpState,
        client: ResourceId,
        options: ClientOptions,
        keys: TlsKeys,
    ) -> Result<(), DialError> {
        let mut connector = Self::from_state(state);
        connector.proxy = options.proxy.map(Proxy::from_options).transpose()?;
        connector.local_address = options
            .local_address
            .map(|address| {
                address
                    .parse()
                    .map_err(|_| DialError::LocalAddress(address))
            })
            .transpose()?;
        connector.http1 = options.http1;
        connector.http2 = options.http2;
        connector.allow_host = options.allow_host;
        if let Some(size) = options.http2_max_header_list_size {
            connector.http2_max_header_list_size = size;
        }
        connector.ca_certs = options
            .ca_certs
            .into_iter()
            .map(String::into_bytes)
            .collect();
        connector.key = fixed(keys);

        let mut clients = std::mem::take(&mut Connectors::of(state).clients);
        clients.retain(|&client, _| state.resource_table.has(client));
        clients.insert(client, Rc::new(connector));
        Connectors::of(state).clients = clients;
        Ok(())
    }

    fn from_state(state: &OpState) -> Self {
        let options = state.try_borrow::<deno_fetch::Options>();
        Self {
            proxy: None,
            local_address: None,
            http1: true,
            http2: true,
            http2_max_header_list_size: ResponseParser::MAX_LENGTH as u32,
            allow_host: false,
            user_agent: options
                .map(|options| options.user_agent.clone())
                .filter(|user_agent| !user_agent.is_empty()),
            foreign: None,
            ca_certs: Vec::new(),
            key: None,
            roots: options.and_then(|options| options.root_cert_store_provider.clone()),
            unsafely_ignore_certificate_errors: options
                .and_then(|options| options.unsafely_ignore_certificate_errors.clone()),
            tls: OnceCell::new(),
            without_http2: RefCell::default(),
        }
    }

    /// The configuration of TLS. The first call reads the root certificates.
    pub(super) fn tls(&self) -> Result<Rc<ClientTls>, DialError> {
        if let Some(tls) = self.tls.get() {
            return Ok(tls.clone());
        }
        let roots = self
            .roots
            .as_ref()
            .map(|provider| provider.get_or_try_init().cloned())
            .transpose()
            .map_err(|error: JsErrorBox| DialError::Tls(error.to_string()))?;
        let options = TlsClientConfigOptions {
            root_cert_store: roots,
            ca_certs: self.ca_certs.clone(),
            unsafely_ignore_certificate_errors: self.unsafely_ignore_certificate_errors.clone(),
            cert_chain_and_key: self.key.clone().into(),
            ..Default::default()
        };
        let tls = Rc::new(ClientTls::new(options, self.http1, self.http2)?);
        Ok(self.tls.get_or_init(|| tls).clone())
    }

    /// Whether HTTP/2 may be tried with a server.
    pub(crate) fn may_use_http2(&self, host: &str, port: u16) -> bool {
        let seen = self.without_http2.borrow();
        seen.is_empty() || !seen.contains(&(host.to_owned(), port))
    }

    /// Notes that a server takes no WebSockets over HTTP/2, so that the next
    /// connection is made for HTTP/1.1 at once.
    pub(crate) fn record_without_http2(&self, host: &str, port: u16) {
        let mut seen = self.without_http2.borrow_mut();
        if seen.len() >= MAX_SEEN {
            seen.clear();
        }
        seen.insert((host.to_owned(), port));
    }
}

/// The connectors of one runtime.
#[derive(Default)]
struct Connectors {
    default: Option<Rc<Connector>>,
    /// The connectors by the resource of their `Deno.HttpClient`.
    clients: HashMap<ResourceId, Rc<Connector>>,
}

impl Connectors {
    fn of(state: &mut OpState) -> &mut Self {
        if !state.has::<Self>() {
            state.put(Self::default());
        }
        state.borrow_mut()
    }
}

/// The client's certificate, if there is one. A client has the same certificate
/// for every server.
fn fixed(keys: TlsKeys) -> Option<TlsKey> {
    keys.try_into().unwrap_or_default()
}

/// How many servers without WebSockets over HTTP/2 are remembered.
const MAX_SEEN: usize = 1024;
