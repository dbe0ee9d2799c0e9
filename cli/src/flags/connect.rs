//! The flags of `duplex connect`. Its program (`cli/src/connect`) gets them as JSON.

use std::path::PathBuf;

use clap::Args;
use clap::ValueEnum;
use duplex_runtime::deno_core::serde_json::Value;
use duplex_runtime::deno_core::serde_json::json;
use duplex_runtime::deno_core::url::Url;

use super::host::parse_serve_host;

const NOTES: &str = "\x1b[1mOn a terminal:\x1b[0m
  A line is sent as a text message. /help lists the commands: /ping, /close 3000 why, /file, …
  Up and down show earlier lines, which are kept between runs. A line that begins with a space
  is not kept. Ctrl+C or Ctrl+D closes.

\x1b[1mWithout a terminal:\x1b[0m
  Each line of standard input is sent as a text message. Each received message is printed.
  When the input ends, duplex sends a ping, and closes when the ping is answered. Messages that
  come before the answer are printed. Use --wait or --count if the server is slow to answer.

\x1b[1mExit codes:\x1b[0m
  0 closed with 1000, 1001 or without a code, or by you; 1 bad arguments; 2 not connected;
  3 the connection was lost; 4 closed with another code

\x1b[1mExamples:\x1b[0m
  duplex connect wss://example.org/chat -s chat.v1 -H 'Cookie: id=7'
  duplex connect localhost:8000 -x '{\"hello\":1}' -n 1        Print one answer
  duplex connect localhost:8000 --json < lines.txt | jq .
  duplex connect localhost:8000 --rtt
  duplex connect --listen 9000 --echo";

const DIALLING: &str = "Dialling";
const MESSAGES: &str = "Messages";
const OUTPUT: &str = "Output";
const LISTENING: &str = "Listening";

#[derive(Args)]
#[command(after_help = NOTES)]
pub(super) struct ConnectArgs {
    /// The server: ws:, wss:, http: or https:; without a scheme, ws:
    #[arg(required_unless_present = "listen", value_name = "URL", value_parser = parse_url, help_heading = "Server")]
    url: Option<Url>,

    /// Offer this subprotocol, or accept it with --listen; can be repeated
    #[arg(short = 's', long = "subprotocol", value_name = "NAME", help_heading = DIALLING)]
    subprotocols: Vec<String>,
    /// Send this header with the opening handshake; can be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = parse_header, conflicts_with = "listen", help_heading = DIALLING)]
    headers: Vec<(String, String)>,
    /// Send this as the header Origin
    #[arg(short, long, value_name = "ORIGIN", conflicts_with = "listen", help_heading = DIALLING)]
    origin: Option<String>,
    /// Send these credentials as HTTP's basic authentication
    #[arg(long, value_name = "USER:PASSWORD", value_parser = parse_auth, conflicts_with = "listen", help_heading = DIALLING)]
    auth: Option<String>,
    /// Give up if there is no connection after this time; 0 is never
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds, conflicts_with = "listen", help_heading = DIALLING)]
    connect_timeout: Option<f64>,
    /// Connect again when the connection is lost or refused; pauses grow up to this time
    #[arg(short, long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "30", value_parser = parse_seconds, conflicts_with = "listen", help_heading = DIALLING)]
    reconnect: Option<f64>,
    /// Connect through this proxy: http:, https:, socks5: or socks5h:, with USER:PASSWORD@
    #[arg(long, value_name = "URL", value_parser = parse_proxy, conflicts_with_all = ["listen", "unix"], help_heading = DIALLING)]
    proxy: Option<Url>,
    /// Connect to this unix socket, and ask for the URL there
    #[arg(long, value_name = "PATH", conflicts_with = "listen", help_heading = DIALLING)]
    unix: Option<String>,
    /// Use HTTP/2 only (RFC 8441)
    #[arg(long, conflicts_with_all = ["listen", "http1"], help_heading = DIALLING)]
    http2: bool,
    /// Use HTTP/1.1 only
    #[arg(long, conflicts_with = "listen", help_heading = DIALLING)]
    http1: bool,
    /// Offer no compression, or accept none with --listen
    #[arg(long, help_heading = DIALLING)]
    no_compression: bool,
    /// Also trust the certificate authorities in this PEM file
    #[arg(long, value_name = "FILE", conflicts_with = "listen", help_heading = DIALLING)]
    pub(super) cert: Option<PathBuf>,
    /// Send the server the certificate chain in this PEM file
    #[arg(long, value_name = "FILE", requires = "client_key", conflicts_with = "listen", help_heading = DIALLING)]
    client_cert: Option<String>,
    /// The private key of that certificate, a PEM file
    #[arg(long, value_name = "FILE", requires = "client_cert", help_heading = DIALLING)]
    client_key: Option<String>,
    /// Do not verify the server's certificate. Dangerous
    #[arg(short = 'k', long, alias = "insecure", conflicts_with = "listen", help_heading = DIALLING)]
    pub(super) unsafely_ignore_certificate_errors: bool,

    /// Send this text, and do not read standard input; can be repeated
    #[arg(short = 'x', long = "send", value_name = "TEXT", conflicts_with = "listen", help_heading = MESSAGES)]
    texts: Vec<String>,
    /// Send this file as a binary message, and do not read standard input; texts go first
    #[arg(short = 'f', long = "send-file", value_name = "FILE", conflicts_with = "listen", help_heading = MESSAGES)]
    files: Vec<String>,
    /// How to send standard input if it is not a terminal
    #[arg(long, value_enum, default_value_t = Input::Lines, hide_possible_values = true, value_name = "lines|text|binary", conflicts_with = "listen", help_heading = MESSAGES)]
    input: Input,
    /// Close this time after the last message was sent [default: when a ping is answered; never with --rtt]
    #[arg(short, long, value_name = "SECONDS", value_parser = parse_seconds, conflicts_with = "listen", help_heading = MESSAGES)]
    wait: Option<f64>,
    /// Close after N received messages
    #[arg(short = 'n', long = "count", value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with_all = ["listen", "wait"], help_heading = MESSAGES)]
    count: Option<u32>,
    /// Refuse messages that are longer than this [default: 64 MiB]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "listen", help_heading = MESSAGES)]
    max_message: Option<u32>,

    /// Print each event as a line of JSON; binary messages are in base64
    #[arg(long, help_heading = OUTPUT)]
    json: bool,
    /// Send a ping each second, and print how long the answer takes
    #[arg(long, conflicts_with = "listen", help_heading = OUTPUT)]
    rtt: bool,

    /// Be a server that clients can connect to, on PORT or HOST:PORT. Without HOST, only this
    /// machine can connect. Each line that you type goes to all clients
    #[arg(short, long, value_name = "ADDRESS", value_parser = parse_address, conflicts_with = "url", help_heading = LISTENING)]
    listen: Option<(String, u16)>,
    /// Send each message back to its sender
    #[arg(long, requires = "listen", help_heading = LISTENING)]
    echo: bool,
}

/// How standard input is sent.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Input {
    /// Each line is a text message.
    Lines,
    /// All of it is one text message.
    Text,
    /// All of it is one binary message.
    Binary,
}

impl ConnectArgs {
    /// The options of the program.
    pub(super) fn options(&self, is_quiet: bool) -> Value {
        let mut headers = self.headers.clone();
        if let Some(origin) = &self.origin {
            headers.push(("Origin".to_string(), origin.clone()));
        }
        let texts = self.texts.iter().map(|text| json!({ "text": text }));
        let files = self.files.iter().map(|file| json!({ "file": file }));
        let messages: Vec<_> = texts.chain(files).collect();
        json!({
            "url": self.url.as_ref().map(Url::as_str),
            "protocols": self.subprotocols,
            "headers": headers,
            "auth": self.auth,
            "connectTimeout": self.connect_timeout,
            "reconnect": self.reconnect,
            "proxy": self.proxy.as_ref().map(Url::as_str),
            "unix": self.unix,
            "http2": match (self.http1, self.http2) {
                (true, _) => "never",
                (_, true) => "only",
                _ => "may",
            },
            "perMessageDeflate": !self.no_compression,
            "clientCertificate": self.client_cert.as_ref().zip(self.client_key.as_ref()),
            "messages": messages,
            "input": match self.input {
                Input::Lines => "lines",
                Input::Text => "text",
                Input::Binary => "binary",
            },
            "wait": self.wait,
            "count": self.count,
            "maxMessage": self.max_message,
            "json": self.json,
            "rtt": self.rtt,
            "quiet": is_quiet,
            "listen": self.listen,
            "echo": self.echo,
        })
    }
}

fn parse_url(value: &str) -> Result<Url, String> {
    let text = match value.contains("://") {
        true => value.to_string(),
        false => format!("ws://{value}"),
    };
    let url = Url::parse(&text).map_err(|error| error.to_string())?;
    match url.scheme() {
        "ws" | "wss" | "http" | "https" => Ok(url),
        scheme => Err(format!(
            "a WebSocket has the scheme ws or wss, not \"{scheme}\""
        )),
    }
}

fn parse_proxy(value: &str) -> Result<Url, String> {
    let url = Url::parse(value).map_err(|error| error.to_string())?;
    match url.scheme() {
        "http" | "https" | "socks5" | "socks5h" => Ok(url),
        scheme => Err(format!(
            "expected http, https, socks5 or socks5h, not \"{scheme}\""
        )),
    }
}

fn parse_header(value: &str) -> Result<(String, String), String> {
    let (name, value) = value
        .split_once(':')
        .ok_or("expected a name, a colon and a value")?;
    Ok((name.trim().to_string(), value.trim().to_string()))
}

fn parse_auth(value: &str) -> Result<String, String> {
    match value.contains(':') {
        true => Ok(value.to_string()),
        false => Err("expected a name, a colon and a password".to_string()),
    }
}

fn parse_seconds(value: &str) -> Result<f64, String> {
    match value.parse() {
        Ok(seconds) if (0.0..=1e6).contains(&seconds) => Ok(seconds),
        _ => Err("expected a number of seconds from 0 to 1000000".to_string()),
    }
}

/// Parses a host and a port. If there is only a port, the host is this machine.
fn parse_address(value: &str) -> Result<(String, u16), String> {
    let (host, port) = value.rsplit_once(':').unwrap_or(("127.0.0.1", value));
    let port = port
        .parse()
        .map_err(|_| "expected PORT or HOST:PORT".to_string())?;
    Ok((parse_serve_host(host)?, port))
}
