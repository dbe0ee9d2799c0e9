use super::*;
use crate::deflate::{self, ClientConfig, Parameters};
use crate::handshake::header::HeaderError;

/// The nonce of section 1.3, whose accept key the RFC gives.
const NONCE: &[u8; 16] = b"the sample nonce";

const REQUEST: Request<'static> = Request {
    authority: None,
    host: "example.com",
    port: 80,
    secure: false,
    target: "/chat?room=1",
    protocols: &[],
    require_protocol: false,
    deflate: None,
    headers: &[],
};

const OK: &str = "HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

fn encode(request: &Request<'_>) -> String {
    let (bytes, _) = request.encode(*NONCE).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn parser(protocols: &[&str], require_protocol: bool) -> ResponseParser {
    let protocols: Vec<String> = protocols.iter().map(|&p| p.to_owned()).collect();
    let request = Request {
        protocols: &protocols,
        require_protocol,
        ..REQUEST
    };
    request.encode(*NONCE).unwrap().1
}

/// Parses an answer as a whole, cut in two at every place, and byte by byte. The results must be
/// the same, except for the counts in them.
fn parse(protocols: &[&str], answer: &str) -> Result<Option<Response>, ResponseError> {
    let at_once = parser(protocols, false).parse(answer.as_bytes());
    for cut in 0..answer.len() {
        let (head, tail) = answer.as_bytes().split_at(cut);
        let mut parser = parser(protocols, false);
        match parser.parse(head) {
            Ok(None) => match parser.parse(tail) {
                Ok(Some(response)) => {
                    let whole = Response {
                        consumed: response.consumed + cut,
                        ..response
                    };
                    assert_eq!(Ok(Some(whole)), at_once);
                }
                other => assert_eq!(other, at_once),
            },
            other => assert_eq!(other, at_once),
        }
    }
    at_once
}

fn error(answer: &str) -> ResponseError {
    parse(&[], answer).unwrap_err()
}

/// The valid answer, with the first `from` replaced by `to`.
fn answer(from: &str, to: &str) -> String {
    assert!(OK.contains(from));
    OK.replacen(from, to, 1) + "\r\n"
}

#[test]
fn request() {
    let protocols = ["chat".to_owned(), "superchat".to_owned()];
    let request = Request {
        protocols: &protocols,
        headers: &[
            ("Origin", b"http://example.com"),
            ("Cookie", b"a=b"),
            ("Authorization", b"Basic eDp5"),
        ],
        ..REQUEST
    };
    assert_eq!(
        encode(&request),
        "GET /chat?room=1 HTTP/1.1\r\n\
         Host: example.com\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: chat, superchat\r\n\
         Origin: http://example.com\r\n\
         Cookie: a=b\r\n\
         Authorization: Basic eDp5\r\n\
         \r\n"
    );
}

#[test]
fn host_header() {
    for (host, port, secure, expected) in [
        ("example.com", 80, false, "example.com"),
        ("example.com", 443, true, "example.com"),
        ("example.com", 443, false, "example.com:443"),
        ("example.com", 80, true, "example.com:80"),
        ("127.0.0.1", 8000, false, "127.0.0.1:8000"),
        ("[::1]", 8000, false, "[::1]:8000"),
        ("::1", 80, false, "[::1]"),
    ] {
        let request = Request {
            host,
            port,
            secure,
            ..REQUEST
        };
        assert!(encode(&request).contains(&format!("\r\nHost: {expected}\r\n")));
    }
}

#[test]
fn another_host_header() {
    for authority in ["example.org", "example.org:99", "[::1]:1"] {
        let request = Request {
            authority: Some(authority.as_bytes()),
            ..REQUEST
        };
        assert!(encode(&request).contains(&format!("\r\nHost: {authority}\r\n")));
        assert_eq!(request.http2().unwrap().0.authority, authority);
    }
    for authority in ["", "a b", "a\r\nb", "a/b", "a@b", "\u{e9}"] {
        let request = Request {
            authority: Some(authority.as_bytes()),
            ..REQUEST
        };
        let error = request.encode(*NONCE).err();
        assert_eq!(error, Some(RequestError::Host(authority.to_owned())));
    }
}

#[test]
fn request_target() {
    for (target, expected) in [
        ("", "/"),
        ("/", "/"),
        ("?a=b", "/?a=b"),
        ("/a%20b", "/a%20b"),
        ("http://example.com/a?b", "http://example.com/a?b"),
        ("http", "/http"),
    ] {
        let request = Request { target, ..REQUEST };
        assert!(encode(&request).starts_with(&format!("GET {expected} HTTP/1.1\r\n")));
    }
}

#[test]
fn illegal_requests() {
    let error = |request: Request<'_>| request.encode(*NONCE).unwrap_err();
    for host in ["", "a b", "a/b", "user@host", "a\r\nb", "\u{e9}"] {
        assert!(matches!(
            error(Request { host, ..REQUEST }),
            RequestError::Host(_)
        ));
    }
    for target in ["/a b", "/\r\nHost: x", "/\u{e9}", "/\0"] {
        assert!(matches!(
            error(Request { target, ..REQUEST }),
            RequestError::Target(_)
        ));
    }
    for protocols in [&["a b"][..], &[""], &["a", "b", "a"], &["a,b"]] {
        let protocols: Vec<String> = protocols.iter().map(|&p| p.to_owned()).collect();
        assert!(matches!(
            error(Request {
                protocols: &protocols,
                ..REQUEST
            }),
            RequestError::Protocol(_)
        ));
    }
    for name in ["Host", "upgrade", "Sec-WebSocket-Key", "Content-Length"] {
        assert!(matches!(
            error(Request {
                headers: &[(name, b"x")],
                ..REQUEST
            }),
            RequestError::Header(HeaderError::Reserved(_))
        ));
    }
    assert!(matches!(
        error(Request {
            headers: &[("X", b"a\nb")],
            ..REQUEST
        }),
        RequestError::Header(HeaderError::Value(_))
    ));
}

#[test]
fn response() {
    let answer = format!("{OK}\r\n");
    assert_eq!(
        parse(&[], &answer),
        Ok(Some(Response {
            protocol: None,
            deflate: None,
            consumed: answer.len(),
        }))
    );
}

#[test]
fn frames_behind_the_response() {
    let consumed = OK.len() + 2;
    let response = parse(&[], &format!("{OK}\r\n\x01\x02frames\r\n\r\n"));
    assert_eq!(response.unwrap().unwrap().consumed, consumed);
}

#[test]
fn interim_responses() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    let answer = format!("{interim}{OK}\r\n");
    assert_eq!(parse(&[], &answer).unwrap().unwrap().consumed, answer.len());
    assert_eq!(
        error(&format!("{interim}HTTP/1.1 404 Not Found\r\n\r\n")),
        ResponseError::Status(404)
    );
}

#[test]
fn response_tokens_in_any_case() {
    for (from, to) in [
        ("Upgrade: websocket", "UPGRADE:  WebSocket "),
        ("Connection: Upgrade", "connection: keep-alive,upgrade"),
        (
            "Connection: Upgrade",
            "Connection: keep-alive\r\nConnection: Upgrade",
        ),
        ("Switching Protocols", ""),
    ] {
        assert!(parse(&[], &answer(from, to)).unwrap().is_some(), "{to}");
    }
}

#[test]
fn response_status() {
    for status in [200, 301, 400, 401, 503] {
        assert_eq!(
            error(&format!(
                "HTTP/1.1 {status} Some\r\nUpgrade: websocket\r\n\r\n"
            )),
            ResponseError::Status(status)
        );
    }
    assert_eq!(
        ResponseError::Status(200).to_string(),
        "Unexpected response code: 200"
    );
}

#[test]
fn response_upgrade() {
    assert_eq!(
        error(&answer("Upgrade: websocket\r\n", "")),
        ResponseError::Missing("Upgrade")
    );
    assert_eq!(
        error(&answer("Upgrade: websocket", "Upgrade: h2c")),
        ResponseError::Upgrade("h2c".to_owned())
    );
    assert_eq!(
        error(&answer(
            "Upgrade: websocket",
            "Upgrade: websocket\r\nUpgrade: websocket"
        )),
        ResponseError::Repeated("Upgrade")
    );
}

#[test]
fn response_connection() {
    assert_eq!(
        error(&answer("Connection: Upgrade\r\n", "")),
        ResponseError::Missing("Connection")
    );
    for value in ["close", "upgraded", ""] {
        assert_eq!(
            error(&answer(
                "Connection: Upgrade",
                &format!("Connection: {value}")
            )),
            ResponseError::Connection
        );
    }
}

#[test]
fn response_accept() {
    let line = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    assert_eq!(
        error(&answer(&format!("{line}\r\n"), "")),
        ResponseError::Missing("Sec-WebSocket-Accept")
    );
    for other in [
        "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo",
        "Sec-WebSocket-Accept:",
    ] {
        assert_eq!(error(&answer(line, other)), ResponseError::Accept);
    }
    assert_eq!(
        error(&answer(line, &format!("{line}\r\n{line}"))),
        ResponseError::Repeated("Sec-WebSocket-Accept")
    );
}

#[test]
fn response_protocol() {
    let picked = |protocol: &str| format!("{OK}Sec-WebSocket-Protocol: {protocol}\r\n\r\n");
    assert_eq!(
        parse(&["a", "b"], &picked("b")).unwrap().unwrap().protocol,
        Some("b".to_owned())
    );
    for other in ["B", "c", "a, b", ""] {
        assert_eq!(
            parse(&["a", "b"], &picked(other)),
            Err(ResponseError::Protocol(other.to_owned()))
        );
    }
    assert_eq!(
        parse(&[], &picked("a")),
        Err(ResponseError::ProtocolUnasked("a".to_owned()))
    );
    let twice = format!("{OK}Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n\r\n");
    assert_eq!(
        parse(&["a"], &twice),
        Err(ResponseError::Repeated("Sec-WebSocket-Protocol"))
    );
}

#[test]
fn response_without_protocol() {
    let answer = format!("{OK}\r\n");
    assert_eq!(parse(&["a"], &answer).unwrap().unwrap().protocol, None);
    assert_eq!(
        parser(&["a"], true).parse(answer.as_bytes()),
        Err(ResponseError::ProtocolMissing)
    );
    assert!(
        parser(&[], true)
            .parse(answer.as_bytes())
            .unwrap()
            .is_some()
    );
}

#[test]
fn response_extensions() {
    assert_eq!(
        error(&format!(
            "{OK}Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        )),
        ResponseError::Extension("permessage-deflate".to_owned())
    );
    let empty = format!("{OK}Sec-WebSocket-Extensions: \r\n\r\n");
    assert!(parse(&[], &empty).unwrap().is_some());
}

#[test]
fn permessage_deflate() {
    let config = ClientConfig {
        server_no_context_takeover: true,
        ..ClientConfig::default()
    };
    let request = Request {
        deflate: Some(&config),
        ..REQUEST
    };
    assert!(encode(&request).contains(
        "\r\nSec-WebSocket-Extensions: permessage-deflate; \
         server_no_context_takeover; client_max_window_bits\r\n"
    ));

    let answer = |lines: &str| {
        let (_, mut parser) = request.encode(*NONCE).unwrap();
        parser
            .parse(format!("{OK}{lines}\r\n").as_bytes())
            .map(|response| response.unwrap().deflate)
    };
    let line = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n";
    assert_eq!(answer(""), Ok(None));
    assert_eq!(
        answer(line),
        Ok(Some(Parameters {
            server_no_context_takeover: true,
            ..Parameters::default()
        }))
    );
    assert_eq!(
        answer(&format!("{line}{line}")),
        Err(ResponseError::Deflate(
            deflate::DeflateAnswerError::Repeated
        ))
    );
    assert_eq!(
        answer("Sec-WebSocket-Extensions: permessage-deflate\r\n"),
        Err(ResponseError::Deflate(
            deflate::DeflateAnswerError::Missing("server_no_context_takeover")
        ))
    );
    assert_eq!(
        answer("Sec-WebSocket-Extensions: foo; bar\r\n"),
        Err(ResponseError::Extension("foo".to_owned()))
    );
    assert!(matches!(
        answer("Sec-WebSocket-Extensions: a b\r\n"),
        Err(ResponseError::Deflate(
            deflate::DeflateAnswerError::Malformed(_)
        ))
    ));
}

#[test]
fn http2_request() {
    let protocols = ["chat".to_owned(), "superchat".to_owned()];
    let config = ClientConfig::default();
    let (request, _) = Request {
        port: 8443,
        secure: true,
        target: "chat",
        protocols: &protocols,
        deflate: Some(&config),
        headers: &[
            ("Origin", b"http://example.com"),
            ("X-Two", b"1"),
            ("x-two", b"2"),
            ("TE", b"trailers"),
            ("Keep-Alive", b"timeout=5"),
            ("Proxy-Connection", b"keep-alive"),
        ],
        ..REQUEST
    }
    .http2()
    .unwrap();
    assert_eq!(request.scheme, "https");
    assert_eq!(request.authority, "example.com:8443");
    assert_eq!(request.path, "/chat");
    let headers: Vec<_> = request
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), str::from_utf8(value).unwrap()))
        .collect();
    assert_eq!(
        headers,
        [
            ("sec-websocket-version", "13"),
            ("sec-websocket-protocol", "chat, superchat"),
            (
                "sec-websocket-extensions",
                "permessage-deflate; client_max_window_bits"
            ),
            ("origin", "http://example.com"),
            ("x-two", "1"),
            ("x-two", "2"),
        ]
    );
    let (request, _) = REQUEST.http2().unwrap();
    assert_eq!(request.scheme, "http");
    assert_eq!(request.authority, "example.com");
}

#[test]
fn illegal_http2_requests() {
    let error = |request: Request<'_>| request.http2().unwrap_err();
    assert!(matches!(
        error(Request {
            target: "/a b",
            ..REQUEST
        }),
        RequestError::Target(_)
    ));
    assert!(matches!(
        error(Request {
            host: "",
            ..REQUEST
        }),
        RequestError::Host(_)
    ));
    let twice = ["a".to_owned(), "a".to_owned()];
    assert!(matches!(
        error(Request {
            protocols: &twice,
            ..REQUEST
        }),
        RequestError::Protocol(_)
    ));
    for (name, value) in [
        ("Host", "x"),
        ("Sec-WebSocket-Key", "x"),
        (":path", "/"),
        ("x", "\n"),
    ] {
        assert!(matches!(
            error(Request {
                headers: &[(name, value.as_bytes())],
                ..REQUEST
            }),
            RequestError::Header(_)
        ));
    }
}

#[test]
fn http2_response() {
    let protocols = ["a".to_owned(), "b".to_owned()];
    let config = ClientConfig::default();
    let (_, check) = Request {
        protocols: &protocols,
        require_protocol: true,
        deflate: Some(&config),
        ..REQUEST
    }
    .http2()
    .unwrap();
    let check = |status, headers: &[(&'static str, &'static str)]| {
        check.check(
            status,
            headers
                .iter()
                .map(|&(name, value)| (name, value.as_bytes())),
        )
    };
    let picked = ("sec-websocket-protocol", "b");
    let agreed = Negotiated {
        protocol: Some("b".to_owned()),
        deflate: None,
    };
    assert_eq!(check(200, &[picked]), Ok(agreed.clone()));
    assert_eq!(
        check(
            204,
            &[
                picked,
                ("sec-websocket-extensions", "permessage-deflate"),
                // This header has no meaning here, and is not checked.
                ("sec-websocket-accept", "x"),
            ]
        ),
        Ok(Negotiated {
            deflate: Some(Parameters::default()),
            ..agreed
        })
    );
    for status in [101, 199, 300, 302, 401, 404, 501] {
        assert_eq!(check(status, &[picked]), Err(ResponseError::Status(status)));
    }
    assert_eq!(check(200, &[]), Err(ResponseError::ProtocolMissing));
    assert_eq!(
        check(200, &[picked, picked]),
        Err(ResponseError::Repeated("Sec-WebSocket-Protocol"))
    );
    assert_eq!(
        check(200, &[("sec-websocket-protocol", "c")]),
        Err(ResponseError::Protocol("c".to_owned()))
    );
    assert_eq!(
        check(200, &[picked, ("sec-websocket-extensions", "foo")]),
        Err(ResponseError::Extension("foo".to_owned()))
    );
}

#[test]
fn not_http() {
    for other in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "\x15\x03\x01\x00\x02\x02\x46",
        "HTTP/1.0 200 OK\r\n\r\n",
        "HTTP/2 101\r\n\r\n",
        "\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n",
    ] {
        assert_eq!(error(other), ResponseError::NotHttp);
    }
}

#[test]
fn malformed_headers() {
    for (from, to) in [
        ("Upgrade: websocket", "Upgrade websocket"),
        ("Upgrade: websocket", "Up grade: websocket"),
        ("Upgrade: websocket", "Upgrade: web\0socket"),
        ("101", "1O1"),
    ] {
        assert!(matches!(
            error(&answer(from, to)),
            ResponseError::Malformed(_)
        ));
    }
}

#[test]
fn limits() {
    let many = OK.to_owned() + &"A: b\r\n".repeat(ResponseParser::MAX_HEADERS) + "\r\n";
    assert_eq!(error(&many), ResponseError::TooManyHeaders { limit: 128 });

    let head = format!("{OK}A: ");
    let mut parser = parser(&[], false);
    let mut left = ResponseParser::MAX_LENGTH - head.len();
    assert_eq!(parser.parse(head.as_bytes()), Ok(None));
    while left > 1000 {
        assert_eq!(parser.parse(&[b'a'; 1000]), Ok(None));
        left -= 1000;
    }
    let limit = ResponseParser::MAX_LENGTH;
    assert_eq!(
        parser.parse(&[b'a'; 1000]),
        Err(ResponseError::TooLong { limit })
    );
}

#[test]
fn a_response_of_the_greatest_length() {
    let fill = |length: usize| {
        let head = format!("{OK}A: ");
        let filling = "a".repeat(length - head.len() - 4);
        head + &filling + "\r\n\r\n"
    };
    let limit = ResponseParser::MAX_LENGTH;
    let answer = fill(limit) + "frames";
    let response = parser(&[], false).parse(answer.as_bytes());
    assert_eq!(response.unwrap().unwrap().consumed, limit);
    let answer = fill(limit + 1);
    assert_eq!(
        parser(&[], false).parse(answer.as_bytes()),
        Err(ResponseError::TooLong { limit })
    );
}
