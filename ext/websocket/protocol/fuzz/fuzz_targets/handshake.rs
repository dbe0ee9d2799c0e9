//! A response gives the same result, however it is cut into reads. The answer to a legal request,
//! over HTTP/1.1 or HTTP/2, is legal too.
#![no_main]

use duplex_protocol::deflate::{ClientConfig, ServerConfig};
use duplex_protocol::handshake::client::{Request, Response, ResponseError};
use duplex_protocol::handshake::server::{AnswerError, ClientOffer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [flags, seed, bytes @ ..] = input else {
        return;
    };
    let config = ClientConfig::default();
    let protocols = ["a".to_owned(), "b".to_owned()];
    let request = Request {
        authority: None,
        host: "example.com",
        port: 80,
        secure: false,
        target: "/",
        protocols: if flags & 1 == 0 { &[] } else { &protocols },
        require_protocol: flags & 2 != 0,
        deflate: (flags & 4 != 0).then_some(&config),
        headers: &[],
    };
    if flags & 8 == 0 {
        client(&request, *seed, bytes);
    } else {
        server(flags & 16 != 0, bytes);
    }
});

fn client(request: &Request<'_>, seed: u8, bytes: &[u8]) {
    // The nonce of RFC 6455 section 1.3.
    let parser = || request.encode(*b"the sample nonce").expect("legal").1;
    let at_once = parser().parse(bytes);

    let parse = |length: &dyn Fn(usize) -> usize| -> Result<Option<Response>, ResponseError> {
        let mut parser = parser();
        let mut before = 0;
        let mut reads = 0;
        while before < bytes.len() {
            let end = (before + length(reads)).min(bytes.len());
            if let Some(response) = parser.parse(&bytes[before..end])? {
                let consumed = before + response.consumed;
                return Ok(Some(Response {
                    consumed,
                    ..response
                }));
            }
            before = end;
            reads += 1;
        }
        Ok(None)
    };
    assert_eq!(parse(&|_| 1), at_once);
    assert_eq!(parse(&|i| 1 + usize::from(seed) * (i + 1) % 29), at_once);
}

fn server(http2: bool, bytes: &[u8]) {
    let lines: Vec<(&str, &[u8])> = bytes
        .split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            Some((str::from_utf8(&line[..colon]).ok()?, &line[colon + 1..]))
        })
        .collect();
    let offer = match http2 {
        false => ClientOffer::parse("GET", (1, 1), lines),
        true => ClientOffer::parse_http2("CONNECT", Some("websocket"), lines),
    };
    let offer = match offer {
        Ok(offer) => offer,
        Err(error) => {
            assert!((400..600).contains(&error.status()));
            return;
        }
    };
    let mut negotiated = offer.clone();
    // Malformed extensions are a separate error.
    let _ = negotiated.negotiate_deflate(&ServerConfig::default());
    let protocol = offer.protocols().first().map(String::as_str);
    for offer in [offer.clone(), negotiated] {
        let answer = offer.answer(protocol, &[]);
        assert_eq!(offer.accept_key().is_none(), http2);
        if http2 {
            assert_eq!(answer, Err(AnswerError::Http2));
            continue;
        }
        let answer = answer.expect("legal");
        assert!(answer.ends_with(b"\r\n\r\n"));
        assert!(str::from_utf8(&answer).is_ok());
    }
}
