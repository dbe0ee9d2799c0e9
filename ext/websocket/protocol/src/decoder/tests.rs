use std::borrow::Cow;

use super::partial::{DIRECT_FROM, MIN_MESSAGE_CAPACITY};
use super::unmask::PIECE;
use super::*;
use crate::close::CloseCode;
use crate::deflate::{Compression, Compressor};
use crate::encoder::{
    encode_binary, encode_binary_compressed, encode_close, encode_frame, encode_ping, encode_pong,
    encode_text,
};

const KEY: MaskKey = [0x37, 0xfa, 0x21, 0x3d];

type Events = (Vec<Event<'static>>, Option<ProtocolError>);

fn owned(event: Event<'_>) -> Event<'static> {
    match event {
        Event::Text { text, is_ascii } => Event::Text {
            text: text.into_owned().into(),
            is_ascii,
        },
        Event::Binary(bytes) => Event::Binary(bytes.into_owned().into()),
        Event::Ping(bytes) => Event::Ping(bytes.into_owned().into()),
        Event::Pong(bytes) => Event::Pong(bytes.into_owned().into()),
        Event::Close(close) => Event::Close(close),
    }
}

/// Decodes `input` to the end, or up to an error.
fn feed(decoder: &mut Decoder, input: &[u8]) -> Events {
    let mut input = input.to_vec();
    let mut rest = input.as_mut_slice();
    let mut events = Vec::new();
    loop {
        match decoder.decode(rest) {
            Ok(Decoded {
                event: Some(event),
                rest: next,
            }) => {
                events.push(owned(event));
                rest = next;
            }
            Ok(Decoded { event: None, rest }) => {
                assert!(rest.is_empty());
                return (events, None);
            }
            Err(error) => return (events, Some(error)),
        }
    }
}

fn client() -> Decoder {
    Decoder::new(Role::Client, DecoderLimits::default())
}

fn limited(max_payload_length: usize, max_fragments: u32) -> Decoder {
    Decoder::new(
        Role::Client,
        DecoderLimits {
            max_payload_length,
            max_fragments,
        },
    )
}

/// Decodes `input` as a whole, byte by byte, and cut in two at every place. The results must be the
/// same.
fn decode(role: Role, input: &[u8]) -> Events {
    let decoder = || Decoder::new(role, DecoderLimits::default());
    let at_once = feed(&mut decoder(), input);
    for cut in 0..=input.len() {
        let (head, tail) = input.split_at(cut);
        assert_eq!(feed_all(&mut decoder(), [head, tail]), at_once, "{cut}");
    }
    assert_eq!(feed_all(&mut decoder(), input.chunks(1)), at_once);
    at_once
}

fn feed_all<'i>(decoder: &mut Decoder, inputs: impl IntoIterator<Item = &'i [u8]>) -> Events {
    let mut all = Vec::new();
    for input in inputs {
        let (events, error) = feed(decoder, input);
        all.extend(events);
        if error.is_some() {
            return (all, error);
        }
    }
    (all, None)
}

fn events(role: Role, input: &[u8]) -> Vec<Event<'static>> {
    let (events, error) = decode(role, input);
    assert_eq!(error, None);
    events
}

fn text(text: &str) -> Event<'static> {
    Event::Text {
        text: Cow::Owned(text.to_owned()),
        is_ascii: text.is_ascii(),
    }
}

fn binary(bytes: &[u8]) -> Event<'static> {
    Event::Binary(bytes.to_vec().into())
}

fn ping(bytes: &[u8]) -> Event<'static> {
    Event::Ping(bytes.to_vec().into())
}

fn frame(out: &mut Vec<u8>, opcode: Opcode, fin: bool, payload: &[u8]) {
    encode_frame(out, opcode, fin, None, payload);
}

#[test]
fn rfc_examples() {
    // The example of section 5.7.
    assert_eq!(events(Role::Client, b"\x81\x05Hello"), [text("Hello")]);
    assert_eq!(
        events(
            Role::Server,
            b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
        ),
        [text("Hello")]
    );
    assert_eq!(
        events(Role::Client, b"\x01\x03Hel\x80\x02lo"),
        [text("Hello")]
    );
    assert_eq!(events(Role::Client, b"\x89\x05Hello"), [ping(b"Hello")]);
    assert_eq!(
        events(
            Role::Server,
            b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
        ),
        [Event::Pong(b"Hello".into())]
    );
}

#[test]
fn every_length_form_in_both_roles() {
    for role in [Role::Client, Role::Server] {
        let mask = (role == Role::Server).then_some(KEY);
        for length in [0, 1, 125, 126, 127, 65535, 65536, 70000] {
            let payload: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let mut wire = Vec::new();
            encode_binary(&mut wire, mask, &payload);
            encode_text(&mut wire, mask, "end");
            let mut decoder = Decoder::new(role, DecoderLimits::default());
            for piece in [wire.len(), 1000, 7] {
                assert_eq!(
                    feed_all(&mut decoder, wire.chunks(piece)),
                    (vec![binary(&payload), text("end")], None)
                );
                assert!(decoder.is_idle());
            }
        }
    }
}

#[test]
fn a_whole_frame_is_lent() {
    let mut wire = Vec::new();
    encode_text(&mut wire, None, "caf\u{e9}");
    encode_binary(&mut wire, None, b"abc");
    encode_ping(&mut wire, None, b"p").unwrap();
    let mut decoder = client();
    let decoded = decoder.decode(&mut wire).unwrap();
    assert!(matches!(
        decoded.event,
        Some(Event::Text {
            text: Cow::Borrowed("caf\u{e9}"),
            is_ascii: false
        })
    ));
    let decoded = decoder.decode(decoded.rest).unwrap();
    assert!(matches!(
        decoded.event,
        Some(Event::Binary(Cow::Borrowed(b"abc")))
    ));
    let decoded = decoder.decode(decoded.rest).unwrap();
    assert!(matches!(
        decoded.event,
        Some(Event::Ping(Cow::Borrowed(b"p")))
    ));
    assert!(decoded.rest.is_empty());
}

#[test]
fn control_frames_between_fragments() {
    let mut wire = Vec::new();
    frame(&mut wire, Opcode::Text, false, b"a");
    encode_ping(&mut wire, None, b"one").unwrap();
    frame(&mut wire, Opcode::Continuation, false, b"b");
    encode_pong(&mut wire, None, b"two").unwrap();
    encode_ping(&mut wire, None, b"").unwrap();
    frame(&mut wire, Opcode::Continuation, true, b"c");
    assert_eq!(
        events(Role::Client, &wire),
        [
            ping(b"one"),
            Event::Pong(b"two".into()),
            ping(b""),
            text("abc")
        ]
    );
}

#[test]
fn empty_frames() {
    let mut wire = Vec::new();
    encode_text(&mut wire, None, "");
    encode_binary(&mut wire, None, b"");
    frame(&mut wire, Opcode::Binary, false, b"");
    frame(&mut wire, Opcode::Continuation, false, b"");
    frame(&mut wire, Opcode::Continuation, true, b"");
    encode_close(&mut wire, None, &Close::empty());
    assert_eq!(
        events(Role::Client, &wire),
        [
            text(""),
            binary(b""),
            binary(b""),
            Event::Close(Close::empty())
        ]
    );
}

#[test]
fn a_character_across_fragments() {
    let smile = "\u{1f600}".as_bytes();
    let mut wire = Vec::new();
    frame(&mut wire, Opcode::Text, false, &smile[..1]);
    frame(&mut wire, Opcode::Continuation, false, &smile[1..3]);
    frame(&mut wire, Opcode::Continuation, true, &smile[3..]);
    assert_eq!(events(Role::Client, &wire), [text("\u{1f600}")]);
}

#[test]
fn long_text_is_checked_wherever_ascii_ends() {
    for role in [Role::Client, Role::Server] {
        let mask = (role == Role::Server).then_some(KEY);
        let plain = "a".repeat(3 * PIECE + 5);
        for at in [0, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE - 1, plain.len()] {
            let good = plain[..at].to_owned() + "\u{20ac}" + &plain[at..];
            let mut bad = good.clone().into_bytes();
            bad[at + 1] = b'a';
            for piece in [usize::MAX, PIECE + 2, PIECE - 1] {
                let feed = |payload: &[u8]| {
                    let mut wire = Vec::new();
                    encode_frame(&mut wire, Opcode::Text, true, mask, payload);
                    let mut decoder = Decoder::new(role, DecoderLimits::default());
                    feed_all(&mut decoder, wire.chunks(piece.min(wire.len())))
                };
                assert!(feed(plain.as_bytes()) == (vec![text(&plain)], None));
                assert!(feed(good.as_bytes()) == (vec![text(&good)], None), "{at}");
                assert_eq!(feed(&bad), (vec![], Some(ProtocolError::TextNotUtf8)));
            }
        }
    }
}

#[test]
fn text_is_checked_at_its_end() {
    for smile in [&b"\xf0\x9f\x98"[..], b"\xf0"] {
        let mut wire = Vec::new();
        encode_frame(&mut wire, Opcode::Text, true, None, smile);
        let (events, error) = decode(Role::Client, &wire);
        assert_eq!((events.len(), error), (0, Some(ProtocolError::TextNotUtf8)));

        let mut wire = Vec::new();
        frame(&mut wire, Opcode::Text, false, smile);
        frame(&mut wire, Opcode::Continuation, true, b"");
        let (_, error) = decode(Role::Client, &wire);
        assert_eq!(error, Some(ProtocolError::TextNotUtf8));
    }
}

#[test]
fn a_bad_byte_fails_as_soon_as_it_is_seen() {
    // The frame announces 20 bytes. The fourth byte is not valid.
    let mut decoder = client();
    assert_eq!(feed(&mut decoder, b"\x81\x14abc"), (vec![], None));
    let (_, error) = feed(&mut decoder, b"\xff");
    assert_eq!(error, Some(ProtocolError::TextNotUtf8));

    // Across fragments, with the masks of a client.
    let mut wire = Vec::new();
    encode_frame(&mut wire, Opcode::Text, false, Some(KEY), b"ok \xf4");
    encode_frame(&mut wire, Opcode::Continuation, false, Some(KEY), b"\x90");
    let (_, error) = decode(Role::Server, &wire);
    assert_eq!(error, Some(ProtocolError::TextNotUtf8));
}

#[test]
fn binary_is_not_checked() {
    let mut wire = Vec::new();
    frame(&mut wire, Opcode::Binary, false, b"\xff");
    frame(&mut wire, Opcode::Continuation, true, b"\xfe");
    assert_eq!(events(Role::Client, &wire), [binary(b"\xff\xfe")]);
}

#[test]
fn ascii_is_told() {
    for (pieces, expected) in [
        (["plain", " text"], true),
        (["plain", "\u{e9}"], false),
        (["\u{e9}", "plain"], false),
    ] {
        let mut wire = Vec::new();
        frame(&mut wire, Opcode::Text, false, pieces[0].as_bytes());
        frame(&mut wire, Opcode::Continuation, true, pieces[1].as_bytes());
        encode_text(&mut wire, None, &pieces.concat());
        for event in events(Role::Client, &wire) {
            let Event::Text { text, is_ascii } = event else {
                panic!("{event:?}");
            };
            assert_eq!((&*text, is_ascii), (&*pieces.concat(), expected));
        }
    }
}

#[test]
fn reserved_bits() {
    for first in [0xc1, 0xa1, 0x91, 0xf1] {
        assert_eq!(
            decode(Role::Client, &[first, 0]),
            (vec![], Some(ProtocolError::ReservedBits))
        );
    }
}

#[test]
fn continuation_without_a_message() {
    for first in [0x00, 0x80] {
        assert_eq!(
            decode(Role::Client, &[0x81, 1, b'a', first, 0]),
            (vec![text("a")], Some(ProtocolError::ContinuationUnexpected))
        );
    }
}

#[test]
fn a_message_within_a_message() {
    for first in [0x01, 0x02, 0x81, 0x82] {
        assert_eq!(
            decode(Role::Client, &[0x01, 0, first, 0]),
            (vec![], Some(ProtocolError::ContinuationExpected))
        );
    }
}

#[test]
fn broken_headers() {
    for (role, wire, error) in [
        (
            Role::Client,
            &b"\x83\x00"[..],
            ProtocolError::ReservedOpcode(3),
        ),
        (Role::Client, b"\x81\x80", ProtocolError::MaskForbidden),
        (Role::Server, b"\x81\x00", ProtocolError::MaskRequired),
        (Role::Client, b"\x09\x00", ProtocolError::ControlFragmented),
        (Role::Client, b"\x89\x7e", ProtocolError::ControlTooLong),
        (
            Role::Client,
            b"\x82\x7e\x00\x7d",
            ProtocolError::LengthNotMinimal,
        ),
        (
            Role::Client,
            b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
            ProtocolError::LengthOverflow,
        ),
    ] {
        assert_eq!(decode(role, wire), (vec![], Some(error)));
    }
}

#[test]
fn broken_close_frames() {
    for (wire, error) in [
        (&b"\x88\x01\x03"[..], ProtocolError::ClosePayload),
        (b"\x88\x02\x03\xed", ProtocolError::CloseCode(1005)),
        (b"\x88\x03\x03\xe8\xff", ProtocolError::CloseReasonNotUtf8),
    ] {
        assert_eq!(decode(Role::Client, wire), (vec![], Some(error)));
    }
}

#[test]
fn after_a_close_input_is_discarded() {
    let mut wire = Vec::new();
    let close = Close::new(CloseCode::GOING_AWAY, "bye");
    frame(&mut wire, Opcode::Text, false, b"cut off");
    encode_close(&mut wire, None, &close);
    encode_text(&mut wire, None, "late");
    wire.extend([0xff; 20]);
    assert_eq!(events(Role::Client, &wire), [Event::Close(close)]);

    let mut decoder = client();
    feed(&mut decoder, &wire);
    assert!(decoder.is_finished());
    assert!(decoder.message.is_none());
}

#[test]
fn after_an_error_input_is_discarded() {
    let mut decoder = client();
    let (_, error) = feed(&mut decoder, b"\xff\xff");
    assert_eq!(error, Some(ProtocolError::ReservedBits));
    assert!(decoder.is_finished());
    assert_eq!(feed(&mut decoder, b"\x81\x01a"), (vec![], None));
    assert_eq!(feed(&mut decoder, b"\xff\xff"), (vec![], None));
}

#[test]
fn idle_is_between_messages() {
    let mut decoder = client();
    assert!(decoder.is_idle());
    for (input, idle) in [
        (&b"\x81"[..], false),
        (b"\x02a", false),
        (b"b", true),
        (b"\x01\x00", false),
        (b"\x89\x01", false),
        (b"p", false),
        (b"\x80\x00", true),
        (b"\x89\x01", false),
        (b"p", true),
    ] {
        feed(&mut decoder, input);
        assert_eq!(decoder.is_idle(), idle, "{input:x?}");
    }
}

#[test]
fn max_payload_length() {
    let over = |wire: &[u8]| {
        let (_, error) = feed(&mut limited(10, 100), wire);
        assert_eq!(error, Some(ProtocolError::PayloadTooLong { limit: 10 }));
    };
    // The announced length is enough for the error.
    over(b"\x82\x0b");
    over(b"\x82\x7e\x01\x00");
    over(b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff");
    // The lengths of all fragments are added up.
    over(b"\x02\x06abcdef\x80\x05");
    over(b"\x02\x0aabcdefghij\x00\x00\x00\x01");

    let mut wire = Vec::new();
    encode_binary(&mut wire, None, &[1; 10]);
    frame(&mut wire, Opcode::Binary, false, &[1; 6]);
    // Control frames do not count.
    encode_ping(&mut wire, None, &[2; 125]).unwrap();
    frame(&mut wire, Opcode::Continuation, true, &[1; 4]);
    assert_eq!(
        feed(&mut limited(10, 100), &wire),
        (
            vec![binary(&[1; 10]), ping(&[2; 125]), binary(&[1; 10])],
            None
        )
    );
}

#[test]
fn max_fragments() {
    let mut wire = Vec::new();
    frame(&mut wire, Opcode::Binary, false, b"a");
    frame(&mut wire, Opcode::Continuation, false, b"");
    frame(&mut wire, Opcode::Continuation, true, b"b");
    for _ in 0..2 {
        encode_binary(&mut wire, None, b"c");
    }
    assert_eq!(
        feed(&mut limited(10, 3), &wire),
        (vec![binary(b"ab"), binary(b"c"), binary(b"c")], None)
    );
    assert_eq!(
        feed(&mut limited(10, 2), &wire),
        (vec![], Some(ProtocolError::TooManyFragments { limit: 2 }))
    );
}

#[test]
fn an_announced_length_allocates_nothing() {
    let mut decoder = limited(usize::MAX, 10);
    feed(&mut decoder, b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff");
    let capacity = |decoder: &Decoder| decoder.message.as_ref().unwrap().payload.capacity();
    assert_eq!(capacity(&decoder), 0);
    feed(&mut decoder, b"a");
    assert_eq!(capacity(&decoder), MIN_MESSAGE_CAPACITY);
    for _ in 0..10 {
        feed(&mut decoder, &[b'b'; 10_000]);
    }
    assert!(capacity(&decoder) < 250_000);
}

#[test]
fn a_message_ends_with_the_room_it_needs() {
    let payload = vec![7; 300_000];
    let mut wire = Vec::new();
    encode_binary(&mut wire, None, &payload);
    let mut decoder = client();
    let mut moves = 0;
    let mut before = 0;
    for chunk in wire.chunks_mut(1000) {
        if let Some(Event::Binary(Cow::Owned(message))) = decoder.decode(chunk).unwrap().event {
            assert_eq!(message.capacity(), payload.len());
            assert!(moves < 10, "{moves}");
            return;
        }
        let capacity = decoder.message.as_ref().unwrap().payload.capacity();
        moves += usize::from(capacity != before);
        before = capacity;
    }
    panic!("no message");
}

/// Decodes `wire` in reads, of which `length` gives the lengths by number. A read goes into the
/// message if the message has room for it. Also returns how many bytes were read into messages.
fn read(
    decoder: &mut Decoder,
    mut wire: &[u8],
    length: impl Fn(usize) -> usize,
) -> (Events, usize) {
    let (mut all, mut direct) = (Vec::new(), 0);
    for number in 0.. {
        if wire.is_empty() {
            break;
        }
        let length = length(number).min(wire.len());
        let (events, error) = match decoder.spare() {
            Some(spare) => {
                assert!(!spare.is_empty());
                let count = length.min(spare.len());
                let (read, rest) = wire.split_at(count);
                spare[..count].write_copy_of_slice(read);
                wire = rest;
                direct += count;
                // SAFETY: this many bytes have just been written there.
                match unsafe { decoder.filled(count) } {
                    Ok(event) => (event.into_iter().collect(), None),
                    Err(error) => (vec![], Some(error)),
                }
            }
            None => {
                let (read, rest) = wire.split_at(length);
                wire = rest;
                feed(decoder, read)
            }
        };
        all.extend(events);
        if error.is_some() {
            return ((all, error), direct);
        }
    }
    ((all, None), direct)
}

#[test]
fn reading_into_a_message_makes_no_difference() {
    let ascii = "a".repeat(150_000);
    let accents = "a\u{e9}\u{20ac}\u{1f600}".repeat(15_000);
    let bytes: Vec<u8> = (0..150_001).map(|i| (i % 251) as u8).collect();
    for role in [Role::Client, Role::Server] {
        let mask = (role == Role::Server).then_some(KEY);
        let mut wire = Vec::new();
        encode_binary(&mut wire, mask, &bytes);
        encode_text(&mut wire, mask, "between");
        encode_text(&mut wire, mask, &accents);
        encode_ping(&mut wire, mask, b"ping").unwrap();
        for (fin, piece) in [(false, 0..70_000), (true, 70_000..150_000)] {
            let opcode = if fin {
                Opcode::Continuation
            } else {
                Opcode::Text
            };
            encode_frame(&mut wire, opcode, fin, mask, &ascii.as_bytes()[piece]);
            if !fin {
                encode_ping(&mut wire, mask, b"within").unwrap();
            }
        }
        let expected = feed(&mut Decoder::new(role, DecoderLimits::default()), &wire);
        assert_eq!((expected.0.len(), expected.1), (6, None));
        for longest in [1, 2, 1001, 16 << 10, 64 << 10, 1 << 20] {
            let mut decoder = Decoder::new(role, DecoderLimits::default());
            let (events, direct) = read(&mut decoder, &wire, |number| 1 + number * 7919 % longest);
            assert!(events == expected, "{longest}");
            assert!(direct > 100_000 || longest > 64 << 10, "{longest} {direct}");
            assert!(decoder.is_idle());
        }
    }
}

#[test]
fn wherever_a_message_is_cut_the_rest_can_be_read_into_it() {
    let text_of = |length: usize| "\u{20ac}".repeat(length.div_ceil(3));
    let long = text_of(DIRECT_FROM * 2 + 100);
    let mut wire = Vec::new();
    encode_text(&mut wire, Some(KEY), &long);
    encode_text(&mut wire, Some(KEY), "next");
    for cut in (0..wire.len())
        .step_by(61)
        .chain(DIRECT_FROM..DIRECT_FROM + 80)
    {
        let mut decoder = Decoder::new(Role::Server, DecoderLimits::default());
        let (events, _) = read(&mut decoder, &wire, |number| match number {
            0 => cut,
            _ => usize::MAX,
        });
        assert!(events == (vec![text(&long), text("next")], None), "{cut}");
    }
}

#[test]
fn room_for_a_message_follows_what_has_come() {
    let mut decoder = limited(usize::MAX, 10);
    feed(&mut decoder, b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff");
    assert!(decoder.spare().is_none());
    let mut come = DIRECT_FROM - 1;
    feed(&mut decoder, &vec![b'a'; come]);
    assert!(decoder.spare().is_none());
    feed(&mut decoder, b"a");
    come += 1;
    for _ in 0..20 {
        let spare = decoder.spare().unwrap();
        assert!(spare.len() <= 3 * come, "{} {come}", spare.len());
        let count = spare.len().min(10_000);
        spare[..count].fill(MaybeUninit::new(b'a'));
        // SAFETY: the bytes have just been written.
        let event = unsafe { decoder.filled(count) };
        assert_eq!(event, Ok(None));
        come += count;
    }
}

#[test]
fn room_ends_with_the_message_and_its_memory_too() {
    let length = 3 * DIRECT_FROM + 5;
    let mut wire = Vec::new();
    encode_binary(&mut wire, None, &vec![7; length]);
    let (head, tail) = wire.split_at(wire.len() - DIRECT_FROM);
    let mut decoder = client();
    feed(&mut decoder, head);
    let spare = decoder.spare().unwrap();
    assert_eq!(spare.len(), DIRECT_FROM);
    spare.write_copy_of_slice(tail);
    // SAFETY: the bytes have just been written.
    match unsafe { decoder.filled(DIRECT_FROM) } {
        Ok(Some(Event::Binary(Cow::Owned(message)))) => {
            assert_eq!((message.len(), message.capacity()), (length, length));
        }
        other => panic!("{other:?}"),
    }
    assert!(decoder.is_idle());
    assert!(decoder.spare().is_none());
}

#[test]
fn no_room_but_in_the_middle_of_a_long_message() {
    let half = vec![b'a'; DIRECT_FROM];
    let none = |decoder: &mut Decoder, input: &[u8]| {
        assert_eq!(feed(decoder, input), (vec![], None));
        assert!(decoder.spare().is_none());
    };
    let mut wire = Vec::new();
    encode_binary(&mut wire, None, &[&half[..], &half].concat());
    // The last part comes together with the bytes after it.
    none(&mut client(), &wire[..wire.len() - DIRECT_FROM + 1]);
    // Control frames may come between fragments.
    let mut wire = Vec::new();
    frame(&mut wire, Opcode::Binary, false, &half);
    let mut decoder = client();
    none(&mut decoder, &wire);
    none(&mut decoder, b"\x89\x01");
    none(&mut decoder, b"");
    // A compressed message that consists of stored blocks.
    let mut wire = compressed(&[&b"\x00\x00\x80\xff\x7f"[..], &half, &half].concat());
    wire.truncate(wire.len() - DIRECT_FROM);
    none(&mut inflating(1 << 20), &wire);
}

#[test]
fn bad_text_fails_where_it_is_read_into_the_message() {
    let mut payload = "a".repeat(4 * DIRECT_FROM).into_bytes();
    payload[3 * DIRECT_FROM] = 0xff;
    let mut wire = Vec::new();
    encode_frame(&mut wire, Opcode::Text, true, Some(KEY), &payload);
    for tail in [0, DIRECT_FROM / 2] {
        let mut decoder = Decoder::new(Role::Server, DecoderLimits::default());
        let wire = &wire[..wire.len() - tail];
        let (events, direct) = read(&mut decoder, wire, |_| 20_000);
        assert_eq!(events, (vec![], Some(ProtocolError::TextNotUtf8)));
        assert!(direct > 0);
        assert!(decoder.is_finished());
        assert!(decoder.spare().is_none());
    }
}

#[test]
#[should_panic = "no room for 1 bytes"]
fn no_more_is_taken_than_there_is_room_for() {
    // SAFETY: this call panics.
    let _ = unsafe { client().filled(1) };
}

#[test]
fn an_idle_decoder_is_small() {
    assert!(size_of::<Decoder>() <= 56, "{}", size_of::<Decoder>());
}

fn inflating(limit: usize) -> Decoder {
    let limits = DecoderLimits {
        max_payload_length: limit,
        ..DecoderLimits::default()
    };
    Decoder::with_deflate(Role::Client, limits, &Parameters::default())
}

/// Decodes `input` with compression, as a whole and byte by byte.
fn inflate(limit: usize, input: &[u8]) -> Events {
    let at_once = feed(&mut inflating(limit), input);
    assert_eq!(feed_all(&mut inflating(limit), input.chunks(1)), at_once);
    at_once
}

/// A complete compressed frame.
fn compressed(payload: &[u8]) -> Vec<u8> {
    let header = FrameHeader {
        fin: true,
        rsv1: true,
        opcode: Opcode::Text,
        mask: None,
        payload_length: payload.len() as u64,
    };
    let (header, length) = header.encode();
    [&header[..length], payload].concat()
}

#[test]
fn rfc_examples_of_compression() {
    // The examples of RFC 7692, section 7.2.3.
    for wire in [
        &b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"[..],
        b"\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00",
        b"\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
        b"\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
        b"\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
    ] {
        // A limit of exactly the message's length is enough.
        assert_eq!(inflate(5, wire), (vec![text("Hello")], None));
    }
    assert_eq!(
        inflate(
            5,
            b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00"
        ),
        (vec![text("Hello"), text("Hello")], None)
    );
    assert_eq!(inflate(0, b"\xc1\x01\x00"), (vec![text("")], None));
}

#[test]
fn rsv1() {
    let error = |wire: &[u8]| inflate(10, wire).1;
    for control in [b"\xc8\x00", b"\xc9\x00", b"\xca\x00"] {
        assert_eq!(error(control), Some(ProtocolError::CompressedBit));
    }
    assert_eq!(
        error(b"\x41\x00\xc0\x00"),
        Some(ProtocolError::CompressedBit)
    );
    assert_eq!(
        error(b"\x01\x00\xc0\x00"),
        Some(ProtocolError::CompressedBit)
    );
    assert_eq!(error(b"\xa1\x00"), Some(ProtocolError::ReservedBits));
    assert_eq!(
        feed(&mut client(), b"\xc1\x01\x00").1,
        Some(ProtocolError::ReservedBits)
    );
    // A message may be sent without compression.
    assert_eq!(
        inflate(10, b"\x81\x01a\xc1\x01\x00\x01\x01b\x80\x01c"),
        (vec![text("a"), text(""), text("bc")], None)
    );
}

#[test]
fn control_frames_between_compressed_fragments() {
    assert_eq!(
        inflate(
            5,
            b"\x41\x03\xf2\x48\xcd\x89\x01a\x00\x00\x80\x04\xc9\xc9\x07\x00"
        ),
        (vec![ping(b"a"), text("Hello")], None)
    );
}

#[test]
fn an_empty_message_that_was_compressed_to_nothing() {
    let hello = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00";
    let wire = [hello, &b"\xc1\x00\x41\x00\x80\x00"[..], hello].concat();
    assert_eq!(
        inflate(5, &wire),
        (vec![text("Hello"), text(""), text(""), text("Hello")], None)
    );
}

#[test]
fn corrupt_streams() {
    for payload in [
        // A reserved type of block, a stored block with a wrong length, a
        // distance beyond the beginning.
        &b"\x07"[..],
        b"\x00\x05\x00\xfa\xfeHello",
        b"\xf2\x00\x11\x00\x00",
    ] {
        assert_eq!(
            inflate(100, &compressed(payload)),
            (vec![], Some(ProtocolError::CompressedData)),
            "{payload:x?}"
        );
    }
}

#[test]
fn compressed_text_is_checked_as_it_inflates() {
    // The invalid byte is in the first of two stored blocks.
    let wire = b"\x41\x06\x00\x01\x00\xfe\xff\xff";
    assert_eq!(
        inflate(100, wire),
        (vec![], Some(ProtocolError::TextNotUtf8))
    );
    // The message ends inside a character.
    assert_eq!(
        inflate(100, &compressed(b"\x00\x01\x00\xfe\xff\xc3\x00")),
        (vec![], Some(ProtocolError::TextNotUtf8))
    );
    assert_eq!(
        inflate(
            100,
            &compressed(
                "\0\u{2}\0"
                    .as_bytes()
                    .iter()
                    .copied()
                    .chain([0xfd, 0xff, 0xc3, 0xa9, 0x00])
                    .collect::<Vec<_>>()
                    .as_slice()
            )
        ),
        (vec![text("\u{e9}")], None)
    );
}

#[test]
fn inflating_stops_at_the_limit() {
    let mut compressor =
        Compressor::new(Role::Server, &Parameters::default(), Compression::default());
    let mut wire = Vec::new();
    encode_binary_compressed(&mut wire, None, &vec![0; 10 << 20], &mut compressor);
    assert!(wire.len() < 11_000);
    for limit in [0, 1, 1000, 1 << 20, (10 << 20) - 1] {
        let mut decoder = inflating(limit);
        let mut largest = 0;
        let mut failed = false;
        for chunk in wire.clone().chunks_mut(100) {
            match decoder.decode(chunk) {
                Ok(decoded) => assert!(decoded.event.is_none()),
                Err(error) => {
                    assert_eq!(error, ProtocolError::PayloadTooLong { limit });
                    failed = true;
                    break;
                }
            }
            let message = decoder.message.as_ref().unwrap();
            largest = largest.max(message.payload.capacity());
        }
        assert!(failed && largest <= limit, "{limit} {largest}");
        assert_eq!(
            feed(&mut inflating(limit), &wire).1,
            Some(ProtocolError::PayloadTooLong { limit })
        );
    }
    let (events, error) = feed(&mut inflating(10 << 20), &wire);
    assert_eq!((events.len(), error), (1, None));
}

#[test]
fn blocks_of_nothing_are_limited() {
    // Empty stored blocks, and empty streams.
    for nothing in [&b"\x00\x00\x00\xff\xff"[..], b"\x03\x00"] {
        let limit = 1 << 20;
        let few = compressed(&nothing.repeat(limit / nothing.len()));
        assert_eq!(feed(&mut inflating(limit), &few).0.len(), 1);
        assert_eq!(
            feed(&mut inflating(limit), &compressed(&few.repeat(2))),
            (vec![], Some(ProtocolError::PayloadTooLong { limit }))
        );
    }
}

#[test]
fn a_decompressor_is_made_when_it_is_needed() {
    let parameters = Parameters {
        server_no_context_takeover: true,
        ..Parameters::default()
    };
    let mut alone = Decoder::with_deflate(Role::Client, DecoderLimits::default(), &parameters);
    let hello = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00";
    for _ in 0..3 {
        assert_eq!(feed(&mut alone, hello), (vec![text("Hello")], None));
    }
    // This message would need the context of the first one.
    assert_eq!(
        feed(&mut alone, b"\xc1\x05\xf2\x00\x11\x00\x00").1,
        Some(ProtocolError::CompressedData)
    );
    assert!(alone.decompressor.is_none());
}

#[test]
fn a_sole_binary_message_is_told_from_all_else() {
    let message = |payload: &[u8]| {
        let mut frame = Vec::new();
        encode_binary(&mut frame, Some(KEY), payload);
        frame
    };
    let payload = [7; 300];
    let mut decoder = Decoder::new(Role::Server, DecoderLimits::default());
    let mut frame = message(&payload);
    let start = decoder.decode_sole_binary(&mut frame).unwrap();
    assert_eq!(frame[start..], payload);
    assert_eq!(decoder.decode_sole_binary(&mut message(&[])), Some(6));

    let mut text = Vec::new();
    encode_text(&mut text, Some(KEY), "text");
    let mut fragment = Vec::new();
    encode_frame(&mut fragment, Opcode::Binary, false, Some(KEY), &payload);
    let mut ping = Vec::new();
    encode_ping(&mut ping, Some(KEY), b"?").unwrap();
    let whole = message(&payload);
    let two = [whole.clone(), whole.clone()].concat();
    let part = whole[..whole.len() - 1].to_vec();
    let unmasked = [0x82, 0].to_vec();
    for other in [text, fragment, ping, two, part, unmasked, Vec::new()] {
        let mut input = other.clone();
        let mut decoder = Decoder::new(Role::Server, DecoderLimits::default());
        assert_eq!(decoder.decode_sole_binary(&mut input), None, "{other:02x?}");
        assert!(input == other && decoder.is_idle());
    }

    // The same holds if a frame is incomplete.
    decoder.decode(&mut whole[..1].to_vec()).unwrap();
    assert_eq!(decoder.decode_sole_binary(&mut whole.clone()), None);
}
