//! How the client reaches a server: TLS and its certificates, proxies, versions of HTTP, unix
//! sockets, timeouts. The servers are real ones, in `connector/servers.rs`. [http2.rs](http2.rs)
//! has tests with other implementations.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

#[path = "support/certificates.rs"]
mod certificates;
#[path = "connector/servers.rs"]
mod servers;
mod support;

use std::net::TcpListener;
use std::process::Command;

use certificates::{Authority, Identity};
use duplex_protocol::decoder::{Decoder, DecoderLimits, Event};
use duplex_protocol::encoder;
use duplex_protocol::frame::Role;
use h2::Reason;
use http::Response;
use serde_json::{Value, json};
use servers::{Http2Handler, Servers, status, tls};
use support::{Finished, Running};

/// The output of the client if everything worked.
const ECHOED: &str = "hello\n1000\n";

// TLS.

#[test]
fn a_client_has_its_own_authority() {
    let (servers, authority) = (Servers::new(), Authority::new());
    let echo = Echo::start();
    let config = tls(&authority.server(&["localhost"]), &["http/1.1"], None);
    let front = servers.tls_front(config, echo.port);
    let url = format!("wss://localhost:{}/", front.port);

    assert_prints(&url, json!({ "client": trusting(&authority) }), ECHOED);
    assert_eq!(front.connections(), 1);
    // The error names the cause, and nothing else is tried.
    let untrusted = "NetworkError: failed to connect to WebSocket: \
                     invalid peer certificate: UnknownIssuer\n1006\n";
    assert_prints(&url, json!({ "client": {} }), untrusted);
    assert_prints(&url, json!({}), untrusted);
    assert_eq!(front.connections(), 3);
}

#[test]
fn a_certificate_for_another_name() {
    let (servers, authority) = (Servers::new(), Authority::new());
    let config = tls(&authority.server(&["example.com"]), &[], None);
    let front = servers.tls_front(config, 1);
    let finished = run(
        &format!("wss://localhost:{}/", front.port),
        json!({ "client": trusting(&authority) }),
    );
    assert!(
        finished
            .stdout
            .starts_with("NetworkError: failed to connect to WebSocket: invalid peer certificate: certificate not valid for name \"localhost\""),
        "{}",
        finished.report()
    );
    assert_eq!(front.connections(), 1);
}

#[test]
fn a_client_has_a_certificate() {
    let (servers, authority) = (Servers::new(), Authority::new());
    let echo = Echo::start();
    for alpn in [&["http/1.1"][..], &[]] {
        let config = tls(&authority.server(&["localhost"]), alpn, Some(&authority));
        let front = servers.tls_front(config, echo.port);
        let url = format!("wss://localhost:{}/", front.port);
        let Identity { certificate, key } = authority.client();
        let mut client = trusting(&authority);
        assert_prints(
            &url,
            json!({ "client": client }),
            "NetworkError: failed to connect to WebSocket: \
             received fatal alert: CertificateRequired\n1006\n",
        );
        assert_eq!(front.connections(), 1);
        client["cert"] = certificate.into();
        client["key"] = key.into();
        assert_prints(&url, json!({ "client": client }), ECHOED);
    }
}

// Proxies.

#[test]
fn through_an_http_proxy() {
    let setting = Setting::new();
    let proxy = setting.servers.http_proxy(None, None);
    let url = format!("http://127.0.0.1:{}", proxy.port);
    setting.assert_echoes_through(json!({ "url": url }));
    assert_eq!(proxy.notes(), setting.targets(""));
}

#[test]
fn through_an_https_proxy() {
    let setting = Setting::new();
    let config = tls(&setting.authority.server(&["localhost"]), &[], None);
    let proxy = setting.servers.http_proxy(Some(config), None);
    let url = format!("https://localhost:{}", proxy.port);
    setting.assert_echoes_through(json!({ "transport": "https", "url": url }));
    assert_eq!(proxy.notes(), setting.targets(""));

    // The certificate of the proxy is verified too.
    assert_prints(
        &setting.ws,
        json!({ "client": { "proxy": { "url": url } } }),
        &format!(
            "NetworkError: failed to connect to WebSocket: proxy {url}: \
             invalid peer certificate: UnknownIssuer\n1006\n"
        ),
    );
}

#[test]
fn through_a_socks_proxy() {
    let setting = Setting::new();
    let proxy = setting.servers.socks_proxy(None);
    for scheme in ["socks5", "socks5h"] {
        let url = format!("{scheme}://127.0.0.1:{}", proxy.port);
        setting.assert_echoes_through(json!({ "transport": "socks5", "url": url }));
    }
    // The proxy gets the name, because only the proxy can resolve it.
    let targets = setting.targets("name ");
    assert_eq!(proxy.notes(), [targets.clone(), targets].concat());

    let url = format!("socks5://127.0.0.1:{}", proxy.port);
    assert_prints(
        "ws://unknown.example/",
        json!({ "client": { "proxy": { "url": url } } }),
        &format!(
            "NetworkError: failed to connect to WebSocket: proxy {url}: \
             Host unreachable\n1006\n"
        ),
    );
}

#[test]
fn credentials_for_a_proxy() {
    let setting = Setting::new();
    let authentication = json!({ "username": "user", "password": "a:b" });

    let proxy = setting.servers.http_proxy(None, Some("Basic dXNlcjphOmI="));
    let url = format!("http://127.0.0.1:{}", proxy.port);
    setting.assert_echoes_through(json!({ "url": url, "basicAuth": authentication }));
    let with_user = format!("http://user:a%3Ab@127.0.0.1:{}", proxy.port);
    setting.assert_echoes_through(json!({ "url": with_user }));
    assert_prints(
        &setting.ws,
        json!({ "client": { "proxy": { "url": url } } }),
        &format!(
            "NetworkError: failed to connect to WebSocket: proxy {url}: \
             proxy authentication required (407)\n1006\n"
        ),
    );
    let targets = setting.targets("");
    let denied = vec!["denied".to_owned()];
    assert_eq!(proxy.notes(), [targets.clone(), targets, denied].concat());

    let proxy = setting.servers.socks_proxy(Some(("user", "a:b")));
    let url = format!("socks5://127.0.0.1:{}", proxy.port);
    setting.assert_echoes_through(json!({ "url": url, "basicAuth": authentication }));
    let finished = run(
        &setting.ws,
        json!({ "client": { "proxy": { "url": url } } }),
    );
    let expected = format!("NetworkError: failed to connect to WebSocket: proxy {url}: ");
    assert!(
        finished.stdout.starts_with(&expected),
        "{}",
        finished.report()
    );
}

#[test]
fn a_proxy_that_refuses() {
    let setting = Setting::new();
    let proxy = setting.servers.http_proxy(None, None);
    let url = format!("http://127.0.0.1:{}", proxy.port);
    assert_prints(
        "ws://unknown.example/",
        json!({ "client": { "proxy": { "url": url } } }),
        &format!(
            "NetworkError: failed to connect to WebSocket: proxy {url}: \
             no tunnel: 502 Bad Gateway\n1006\n"
        ),
    );
    assert_eq!(proxy.notes(), ["unknown.example:80"]);
}

/// The error names the proxy, because a user may not know of a proxy of the environment.
#[test]
fn a_proxy_that_does_not_exist() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    for proxy in [
        format!("http://{address}"),
        format!("socks5://{address}"),
        "http://proxy.invalid:1".to_owned(),
    ] {
        let mut command = client("ws://unknown.example/", json!({}));
        let finished = support::finish(command.env("ALL_PROXY", &proxy)).unwrap();
        let expected = format!("failed to connect to WebSocket: proxy {proxy}: ");
        assert!(finished.stdout.contains(&expected), "{}", finished.stdout);
    }
}

#[test]
fn proxies_of_the_environment() {
    let setting = Setting::new();
    let proxy = setting.servers.http_proxy(None, None);
    let url = format!("http://127.0.0.1:{}", proxy.port);
    let dial = |target: &str, variables: &[(&str, &str)]| {
        let mut command = client(target, json!({ "client": trusting(&setting.authority) }));
        support::finish(command.envs(variables.iter().copied()))
            .unwrap()
            .stdout
    };
    let before = || proxy.notes().len();
    for (target, variable) in [
        (&setting.ws, "HTTP_PROXY"),
        (&setting.ws, "http_proxy"),
        (&setting.ws, "ALL_PROXY"),
        (&setting.wss, "HTTPS_PROXY"),
        (&setting.wss, "https_proxy"),
        (&setting.wss, "all_proxy"),
    ] {
        let seen = before();
        assert_eq!(dial(target, &[(variable, &url)]), ECHOED, "{variable}");
        assert_eq!(proxy.notes().len(), seen + 1, "{variable}");
    }

    // The user chooses the proxy of the environment, so it needs no permission.
    let mut command = support::duplex_run();
    command
        .arg(format!("--allow-net=name{}", servers::PRIVATE))
        .arg(support::tests_dir().join("connector/client.js"))
        .args([&setting.ws, "{}"])
        .env("HTTP_PROXY", &url);
    assert_eq!(support::finish(&mut command).unwrap().stdout, ECHOED);

    // The proxy is not used for every host, and not for the other scheme.
    let seen = before();
    let direct = format!("ws://127.0.0.1:{}/", setting.echo.port);
    for variables in [
        &[("HTTP_PROXY", url.as_str()), ("NO_PROXY", "127.0.0.0/8")][..],
        &[("HTTP_PROXY", &url), ("no_proxy", "example.com, 127.0.0.1")],
        &[("ALL_PROXY", &url), ("NO_PROXY", "*")],
        &[("HTTPS_PROXY", &url)],
    ] {
        assert_eq!(dial(&direct, variables), ECHOED, "{variables:?}");
    }
    assert_eq!(before(), seen);
    // A client's own proxy is not used for those hosts either.
    let mut command = client(&direct, json!({ "client": { "proxy": { "url": url } } }));
    command.env("NO_PROXY", "127.0.0.1");
    assert_eq!(support::finish(&mut command).unwrap().stdout, ECHOED);
    assert_eq!(before(), seen);
    let mut command = client(&direct, json!({ "client": { "proxy": { "url": url } } }));
    assert_eq!(support::finish(&mut command).unwrap().stdout, ECHOED);
    assert_eq!(before(), seen + 1);

    // A proxy that cannot be used is an error.
    assert_eq!(
        dial(&direct, &[("HTTP_PROXY", "socks4://127.0.0.1")]),
        "NetworkError: failed to connect to WebSocket: invalid proxy (its scheme is not supported); \
         it takes http, https, socks5, socks5h, unix: or vsock:\n1006\n"
    );
    // An error does not contain a password that the program may not read.
    for value in [
        "socks4://user:s3cret@p.test:1",
        "vsock:s3cret:1",
        "vsock:s3cret",
    ] {
        let error = dial(&direct, &[("HTTP_PROXY", value)]);
        assert!(error.contains("invalid proxy ("), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
    }
}

#[test]
#[cfg(unix)]
fn over_a_unix_socket() {
    let setting = Setting::new();
    let path = std::env::temp_dir().join(format!("duplex-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    setting.servers.forward_unix(listener, setting.front.port);
    let proxy = json!({ "transport": "unix", "path": path });
    let mut trusting = trusting(&setting.authority);
    trusting["proxy"] = proxy.clone();
    // TLS is used over the unix socket if the URL says so.
    assert_prints(&setting.wss, json!({ "client": trusting }), ECHOED);

    let _ = std::fs::remove_file(&path);
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    setting.servers.forward_unix(listener, setting.echo.port);
    let options = json!({ "client": { "proxy": proxy } });
    assert_prints("ws://localhost/", options.clone(), ECHOED);

    let with = |flags: &[String]| {
        let mut command = support::duplex_run();
        command
            .args(flags)
            .arg(support::tests_dir().join("connector/client.js"))
            .args(["ws://localhost/", &options.to_string()]);
        support::finish(&mut command).unwrap()
    };
    let path = path.to_str().unwrap();
    let files = [
        format!("--allow-read={path}"),
        format!("--allow-write={path}"),
    ];
    let net = format!("--allow-net=localhost,unix:{path}");
    assert_eq!(with(&[&files[..], &[net]].concat()).stdout, ECHOED);
    for flags in [
        &[&files[..], &["--allow-net=localhost".to_owned()]].concat(),
        &["--allow-net".to_owned()].to_vec(),
    ] {
        let finished = with(flags);
        assert!(
            finished.stderr.contains("NotCapable"),
            "{}",
            finished.report()
        );
    }
    std::fs::remove_file(path).unwrap();
}

#[test]
fn at_another_address() {
    let setting = Setting::new();
    let at = |port| json!({ "transport": "tcp", "hostname": "127.0.0.1", "port": port });
    let mut client = trusting(&setting.authority);
    client["proxy"] = at(setting.echo.port);
    assert_prints(&setting.ws, json!({ "client": client }), ECHOED);
    client["proxy"] = at(setting.front.port);
    assert_prints(&setting.wss, json!({ "client": client }), ECHOED);
}

#[test]
#[cfg(target_os = "linux")] // where all of 127.0.0.0/8 is there
fn from_a_local_address() {
    let mut setting = Setting::new();
    let url = format!("ws://localhost:{}/", setting.echo.port);
    let options = json!({ "client": { "localAddress": "127.0.0.2" } });
    assert_prints(&url, options, ECHOED);
    let seen = setting.echo.running.line("request ").unwrap();
    assert_eq!(seen, "localhost 127.0.0.2");
    assert_prints(
        &format!("ws://127.0.0.1:{}/", setting.echo.port),
        json!({ "client": { "localAddress": "::1" } }),
        "NetworkError: failed to connect to WebSocket: tcp connect error: \
         the host has no address of the family of localAddress ::1\n1006\n",
    );
}

// Versions of HTTP.

#[test]
fn http2_without_websockets_falls_back() {
    let setting = Setting::new();
    let server = setting.http2(false, |_, respond, _| status(200, respond));
    let url = format!("wss://localhost:{}/", server.port);
    let trusting = trusting(&setting.authority);

    let mut command = client(&url, json!({ "client": trusting }));
    let finished = support::finish(command.arg("2")).unwrap();
    assert_eq!(finished.stdout, ECHOED.repeat(2), "{}", finished.report());
    // The second connection uses HTTP/1.1 at once.
    let mut notes = server.notes();
    notes.retain(|note| note != "end");
    assert_eq!(notes, ["h2", "http/1.1", "http/1.1"]);
}

#[test]
fn the_versions_of_a_client() {
    let setting = Setting::new();
    let server = setting.http2(false, |_, respond, _| status(200, respond));
    let url = format!("wss://localhost:{}/", server.port);
    let mut client = trusting(&setting.authority);
    client["http2"] = false.into();
    assert_prints(&url, json!({ "client": client }), ECHOED);
    assert_eq!(server.notes(), ["http/1.1"]);
    assert_eq!(server.connections(), 1);

    client["http2"] = true.into();
    client["http1"] = false.into();
    assert_prints(
        &url,
        json!({ "client": client }),
        "NetworkError: failed to connect to WebSocket: the server takes no \
         WebSockets over HTTP/2, and the client has `http1: false`\n1006\n",
    );
    assert_eq!(server.connections(), 2);

    // A server without HTTP/2 says so itself.
    assert_prints(
        &setting.wss_localhost(),
        json!({ "client": client }),
        "NetworkError: failed to connect to WebSocket: \
         received fatal alert: NoApplicationProtocol\n1006\n",
    );
}

#[test]
fn answers_over_http2_that_are_no_handshake() {
    let setting = Setting::new();
    let handlers: [(Http2Handler, &str); 6] = [
        (
            |_, respond, _| status(302, respond),
            "Unexpected response code: 302",
        ),
        (
            |_, respond, _| status(401, respond),
            "Unexpected response code: 401",
        ),
        (
            |_, respond, _| status(503, respond),
            "Unexpected response code: 503",
        ),
        (
            |_, respond, _| reset(respond, Reason::REFUSED_STREAM),
            "stream error received: refused stream before processing any application logic",
        ),
        (
            |_, mut respond, _| {
                Box::pin(async move {
                    let response = Response::builder()
                        .header("sec-websocket-protocol", "unasked")
                        .body(())
                        .unwrap();
                    let _stream = respond.send_response(response, false);
                    std::future::pending().await
                })
            },
            "Response must not include 'Sec-WebSocket-Protocol' header \
             if not present in request: unasked",
        ),
        (
            |_, mut respond, _| {
                Box::pin(async move {
                    let response = Response::builder()
                        .header("x", "x".repeat(70_000))
                        .body(())
                        .unwrap();
                    let _stream = respond.send_response(response, false);
                    std::future::pending().await
                })
            },
            "Handshake response over HTTP/2 is malformed, \
             or exceeds the header size limit of 65536 bytes",
        ),
    ];
    for (handler, message) in handlers {
        let server = setting.http2(true, handler);
        assert_prints(
            &format!("wss://localhost:{}/", server.port),
            json!({ "client": trusting(&setting.authority) }),
            &format!("NetworkError: failed to connect to WebSocket: {message}\n1006\n"),
        );
        // There is no second attempt.
        assert_eq!(server.connections(), 1);
        assert_eq!(server.notes()[..2], ["h2", "CONNECT / websocket"]);
    }
}

#[test]
fn a_server_that_wants_http1_for_this() {
    let setting = Setting::new();
    let server = setting.http2(true, |_, respond, _| {
        reset(respond, Reason::HTTP_1_1_REQUIRED)
    });
    assert_prints(
        &format!("wss://localhost:{}/", server.port),
        json!({ "client": trusting(&setting.authority) }),
        ECHOED,
    );
    assert_eq!(server.connections(), 2);
}

#[test]
fn the_ends_of_a_stream_over_http2() {
    /// Opens the WebSocket and sends `bytes`.
    fn open(
        mut respond: h2::server::SendResponse<bytes::Bytes>,
        bytes: &'static [u8],
        is_end: bool,
    ) -> h2::SendStream<bytes::Bytes> {
        let mut send = respond.send_response(Response::new(()), false).unwrap();
        send.send_data(bytes.into(), is_end).unwrap();
        send
    }
    let handlers: [(Http2Handler, &str, &[&str]); 4] = [
        (
            // This is like the end of a TCP connection.
            |_, respond, _| {
                open(respond, b"", true);
                Box::pin(async { Ok(()) })
            },
            "Unexpected EOF\n1006\n",
            &[],
        ),
        (
            // This is like the reset of a TCP connection.
            |_, respond, _| {
                let mut send = open(respond, b"", false);
                Box::pin(async move {
                    tokio::task::yield_now().await;
                    send.send_reset(Reason::CANCEL);
                    Ok(())
                })
            },
            "stream error received: stream no longer needed\n1006\n",
            &[],
        ),
        (
            // The server sends a message and a Close frame. The client's answer ends its half of
            // the stream.
            |request, respond, notes| {
                let send = open(respond, b"\x81\x02hi\x88\x02\x0f\xa0", false);
                Box::pin(async move {
                    let _send = send;
                    let mut receive = request.into_body();
                    let mut length = 0;
                    while let Some(Ok(data)) = receive.data().await {
                        length += data.len();
                    }
                    notes.add(format!("{length} bytes"));
                    Ok(())
                })
            },
            "hi\n4000\n",
            // The client sends "hello" when the socket opens.
            &["19 bytes", "end"],
        ),
        (
            // The server sends a frame that is not allowed.
            |_, respond, _| {
                let send = open(respond, b"\x81\x80\0\0\0\0", false);
                Box::pin(async move {
                    let _send = send;
                    std::future::pending().await
                })
            },
            "frame from a server is masked (RFC 6455 5.1)\n1006\n",
            &[],
        ),
    ];
    let setting = Setting::new();
    for (handler, prints, notes) in handlers {
        let server = setting.http2(true, handler);
        assert_prints(
            &format!("wss://localhost:{}/", server.port),
            json!({ "client": trusting(&setting.authority) }),
            prints,
        );
        for note in notes {
            server.wait_for(note);
        }
    }
}

/// A script that sends 16 MiB. Its server reads nothing of them until it is told to, and then sends
/// as much back.
const STALLED: &str = r#"
const [url, control, caCert] = Deno.args;
const client = caCert && Deno.createHttpClient({ caCerts: [caCert] });
const plain = Deno.createHttpClient({ http1: false });
const socket = new WebSocket(url, {
  client: client || plain,
  perMessageDeflate: false,
});
socket.binaryType = "arraybuffer";
const length = 16 << 20;
const bytes = new Uint8Array(length).map((_, i) => i % 251);
socket.onopen = () => {
  socket.send(bytes);
  console.log(socket.bufferedAmount);
};
socket.onmessage = async ({ data }) => {
  if (data === "full") {
    // This is the window of HTTP/2 without the 14 bytes of the frame's header.
    console.log(length - socket.bufferedAmount);
    (await Deno.connect({ port: Number(control) })).close();
    return;
  }
  console.log(data.byteLength, socket.bufferedAmount);
  console.log(new Uint8Array(data).every((byte, i) => byte === i % 251));
  socket.close(4000, "enough");
};
socket.onerror = ({ message }) => console.log(message);
socket.onclose = ({ code, reason, wasClean }) => console.log(code, reason, wasClean);
"#;

const STALLED_PRINTS: &str = "16777216\n65521\n16777216 0\ntrue\n4000 enough true\n";

#[test]
fn a_server_over_http2_that_stops_reading() {
    let setting = Setting::new();
    let script = std::env::temp_dir().join(format!("duplex-stalled-{}.js", std::process::id()));
    std::fs::write(&script, STALLED).unwrap();
    let dial = |url: String, control: u16, authority: &str| {
        let mut command = support::duplex_run();
        command.arg("-A").arg(&script).arg(url);
        command.arg(control.to_string()).arg(authority);
        support::finish(&mut command).unwrap()
    };
    // The test runs over TLS, and over TCP with prior knowledge.
    for secure in [true, false] {
        let control = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = control.local_addr().unwrap().port();
        *CONTROL.lock().unwrap() = Some(control);
        let (server, url, authority) = match secure {
            true => {
                let server = setting.http2(true, stall);
                let url = format!("wss://localhost:{}/", server.port);
                (server, url, setting.authority.certificate.as_str())
            }
            false => {
                let server = setting.servers.http2(None, true, 1, stall);
                let url = format!("ws://localhost:{}/", server.port);
                (server, url, "")
            }
        };
        let finished = dial(url, port, authority);
        assert_eq!(finished.stdout, STALLED_PRINTS, "{}", finished.report());
        server.wait_for("end");
    }
    std::fs::remove_file(script).unwrap();
}

/// The listener on which [`stall`] waits for a connection.
static CONTROL: std::sync::Mutex<Option<std::net::TcpListener>> = std::sync::Mutex::new(None);

/// A WebSocket that prints `full` when the window is full, echoes one message when a connection has
/// come to [`CONTROL`], and answers the Close frame.
fn stall(
    request: http::Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<bytes::Bytes>,
    _notes: servers::Notes,
) -> servers::Handled {
    Box::pin(async move {
        let error = std::io::Error::other::<h2::Error>;
        let mut send = respond
            .send_response(Response::new(()), false)
            .map_err(error)?;
        let mut receive = request.into_body();
        let mut bytes = Vec::new();
        while bytes.len() < 65_535 {
            bytes.extend(receive.data().await.unwrap().map_err(error)?);
        }
        let mut out = Vec::new();
        encoder::encode_text(&mut out, None, "full");
        send.send_data(out.into(), false).map_err(error)?;
        let control = CONTROL.lock().unwrap().take().unwrap();
        tokio::task::spawn_blocking(move || control.accept())
            .await
            .unwrap()?;

        let mut decoder = Decoder::new(
            Role::Server,
            DecoderLimits {
                max_payload_length: 1 << 30,
                ..DecoderLimits::default()
            },
        );
        let mut taken = bytes.len();
        loop {
            let mut out = Vec::new();
            let mut is_over = false;
            let mut input = &mut bytes[..];
            loop {
                let decoded = decoder.decode(input).map_err(std::io::Error::other)?;
                match decoded.event {
                    Some(Event::Binary(data)) => encoder::encode_binary(&mut out, None, &data),
                    Some(Event::Close(close)) => {
                        encoder::encode_close(&mut out, None, &close);
                        is_over = true;
                    }
                    Some(_) => {}
                    None => break,
                }
                input = decoded.rest;
            }
            if !out.is_empty() {
                send.send_data(out.into(), is_over).map_err(error)?;
            }
            if is_over {
                return Ok(());
            }
            receive
                .flow_control()
                .release_capacity(taken)
                .map_err(error)?;
            let Some(data) = receive.data().await else {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            };
            bytes = data.map_err(error)?.to_vec();
            taken = bytes.len();
        }
    })
}

fn reset(mut respond: h2::server::SendResponse<bytes::Bytes>, reason: Reason) -> servers::Handled {
    respond.send_reset(reason);
    Box::pin(async { Ok(()) })
}

// Timeouts.

#[test]
fn timeouts_are_named() {
    let setting = Setting::new();
    let silent = setting.servers.silent();
    let url = |scheme: &str| format!("{scheme}://127.0.0.1:{}/", silent.port);
    let timeouts = json!({ "connectTimeout": 0.05, "handshakeTimeout": 0.04 });
    assert_prints(
        &url("wss"),
        timeouts.clone(),
        "NetworkError: failed to connect to WebSocket: \
         no connection within the connectTimeout of 50ms\n1006\n",
    );
    assert_prints(
        &url("ws"),
        timeouts,
        "NetworkError: failed to connect to WebSocket: the server did not answer \
         the opening handshake within the handshakeTimeout of 40ms\n1006\n",
    );
    // A proxy that does not answer counts as no connection.
    let proxy = format!("http://127.0.0.1:{}", silent.port);
    assert_prints(
        "ws://unknown.example/",
        json!({ "connectTimeout": 0.05, "client": { "proxy": { "url": proxy } } }),
        "NetworkError: failed to connect to WebSocket: \
         no connection within the connectTimeout of 50ms\n1006\n",
    );
}

/// A server behind a proxy, under names that only the proxy can resolve.
struct Setting {
    servers: Servers,
    authority: Authority,
    echo: Echo,
    /// A server that terminates TLS for `echo`, without HTTP/2.
    front: servers::Server,
    ws: String,
    wss: String,
}

impl Setting {
    fn new() -> Self {
        let (servers, authority, echo) = (Servers::new(), Authority::new(), Echo::start());
        let name = format!("name{}", servers::PRIVATE);
        let identity = authority.server(&[&name, "localhost"]);
        let front = servers.tls_front(tls(&identity, &["http/1.1"], None), echo.port);
        Self {
            ws: format!("ws://{name}:{}/", echo.port),
            wss: format!("wss://{name}:{}/", front.port),
            servers,
            authority,
            echo,
            front,
        }
    }

    fn wss_localhost(&self) -> String {
        format!("wss://localhost:{}/", self.front.port)
    }

    /// A server with HTTP/2 for `localhost`, which passes HTTP/1.1 on to the echo server.
    fn http2(&self, extended_connect: bool, handler: Http2Handler) -> servers::Server {
        let identity = self.authority.server(&["localhost"]);
        let config = tls(&identity, &["h2", "http/1.1"], None);
        self.servers
            .http2(Some(config), extended_connect, self.echo.port, handler)
    }

    fn assert_echoes_through(&self, proxy: Value) {
        let mut client = trusting(&self.authority);
        client["proxy"] = proxy;
        for url in [&self.ws, &self.wss] {
            assert_prints(url, json!({ "client": client }), ECHOED);
        }
    }

    /// The targets that a proxy sees in [`Setting::assert_echoes_through`].
    fn targets(&self, kind: &str) -> Vec<String> {
        let name = format!("name{}", servers::PRIVATE);
        [self.echo.port, self.front.port]
            .map(|port| format!("{kind}{name}:{port}"))
            .into()
    }
}

/// An echo server that runs on duplex.
struct Echo {
    port: u16,
    running: Running,
}

impl Echo {
    fn start() -> Self {
        let mut command = support::duplex_run();
        command
            .arg("--allow-net")
            .arg(support::tests_dir().join("connector/server.js"));
        let mut running = Running::start("the echo server", &mut command).unwrap();
        let port = running.line("listening ").unwrap();
        Self {
            port: port.parse().unwrap(),
            running,
        }
    }
}

fn trusting(authority: &Authority) -> Value {
    json!({ "caCerts": [authority.certificate] })
}

fn client(url: &str, options: Value) -> Command {
    let mut command = support::duplex_run();
    command
        .arg("-A")
        .arg(support::tests_dir().join("connector/client.js"))
        .arg(url)
        .arg(options.to_string());
    for name in ["ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command
}

fn run(url: &str, options: Value) -> Finished {
    support::finish(&mut client(url, options)).unwrap()
}

#[track_caller]
fn assert_prints(url: &str, options: Value, expected: &str) {
    let finished = run(url, options);
    assert_eq!(finished.stdout, expected, "{}", finished.report());
}
