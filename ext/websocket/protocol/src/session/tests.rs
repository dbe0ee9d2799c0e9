use super::*;
use crate::close::ABNORMAL_CLOSURE;

const SECOND: Duration = Duration::from_secs(1);

const CONFIG: Config = Config {
    idle: Some(IdleTimeout {
        timeout: Duration::from_secs(30),
        sends_pings: true,
    }),
    close_timeout: Some(Duration::from_secs(10)),
    linger_timeout: Duration::from_secs(2),
    least_progress: 1000,
    max_control_frames: 3,
};

const ALL: [State; 6] = [
    State::Open,
    State::Failing,
    State::Closing(Closing::Sent),
    State::Closing(Closing::Received),
    State::Terminated,
    State::Closed,
];

fn bye() -> Close {
    Close::new(CloseCode::NORMAL, "bye")
}

/// A session that has an application and is in `state`.
fn in_state(state: State) -> (Session, Instant) {
    let now = Instant::now();
    let mut session = Session::new(now);
    session.attach(now);
    match state {
        State::Open => {}
        State::Failing => assert!(session.fail_later(CloseCode::POLICY_VIOLATION, failure)),
        State::Closing(Closing::Sent) => assert!(session.close()),
        State::Closing(Closing::Received) => {
            assert_eq!(session.receive_close(bye()), Some(bye()));
        }
        State::Terminated => session.terminate(),
        State::Closed => assert!(session.drop_connection().is_some()),
    }
    assert_eq!(session.state(), state);
    (session, now)
}

fn failure() -> String {
    "a limit is exceeded".to_owned()
}

/// The endings by the names that the tables below use.
fn ending(name: &str) -> Option<Ending> {
    let abnormal = |error: Option<&str>| Ending {
        code: ABNORMAL_CLOSURE,
        reason: String::new(),
        was_clean: false,
        error: error.map(str::to_owned),
    };
    match name {
        "none" => None,
        "silent" => Some(abnormal(None)),
        "clean" => Some(Ending {
            code: 1000,
            reason: "bye".to_owned(),
            was_clean: true,
            error: None,
        }),
        error => Some(abnormal(Some(error))),
    }
}

// The table of the module's documentation, one column for each test.

#[test]
fn the_first_pong_tells_how_long_the_ping_took() {
    let start = Instant::now();
    let mut session = Session::new(start);
    session.attach(start);
    assert_eq!(session.receive_pong(start), None);
    let asked = session.poll_timeout(&CONFIG, true).unwrap();
    let due = session.handle_timeout(asked, &CONFIG, true, Outgoing::default);
    assert!(matches!(due, Some(Timeout::Ping)));
    let answered = asked + Duration::from_millis(30);
    session.heard(answered);
    assert_eq!(
        session.receive_pong(answered),
        Some(Duration::from_millis(30))
    );
    assert_eq!(session.receive_pong(answered), None);
}

#[test]
fn this_end_closes() {
    for state in ALL {
        let (mut session, _) = in_state(state);
        let expected = match state {
            State::Open => (true, State::Closing(Closing::Sent)),
            other => (false, other),
        };
        assert_eq!((session.close(), session.state()), expected, "{state:?}");
    }
}

#[test]
fn the_peer_closes() {
    for state in ALL {
        let (mut session, _) = in_state(state);
        let received = State::Closing(Closing::Received);
        let (answer, expected) = match state {
            State::Open | State::Failing => (Some(bye()), received),
            State::Closing(_) => (None, received),
            other => (None, other),
        };
        assert_eq!(session.receive_close(bye()), answer, "{state:?}");
        assert_eq!(session.state(), expected, "{state:?}");
    }
}

#[test]
fn a_limit_is_exceeded() {
    for state in ALL {
        let (mut session, _) = in_state(state);
        let is_news = session.fail_later(CloseCode::POLICY_VIOLATION, failure);
        let expected = match state {
            State::Open => (true, State::Failing),
            other => (false, other),
        };
        assert_eq!((is_news, session.state()), expected, "{state:?}");
        match session.fail_now() {
            Some(failed) => {
                let close = Close::new(CloseCode::POLICY_VIOLATION, failure());
                assert!(matches!(state, State::Open | State::Failing), "{state:?}");
                assert_eq!(failed.close, Some(close));
                assert_eq!(failed.ending, ending("a limit is exceeded"));
                assert_eq!(session.state(), State::Closed);
            }
            None => assert_eq!(session.state(), state),
        }
    }
}

#[test]
fn the_application_drops_the_connection() {
    for state in ALL {
        let (mut session, _) = in_state(state);
        session.terminate();
        let expected = match state {
            State::Closed => State::Closed,
            _ => State::Terminated,
        };
        assert_eq!(session.state(), expected, "{state:?}");
        let told = match state {
            State::Closed => "none",
            _ => "silent",
        };
        assert_eq!(session.drop_connection(), ending(told), "{state:?}");
        assert_eq!(session.state(), State::Closed);
    }
}

#[test]
fn the_connection_fails() {
    for state in ALL {
        let (mut session, _) = in_state(state);
        let failed = session.fail(CloseCode::PROTOCOL_ERROR, "broken".to_owned());
        let sends = matches!(state, State::Open | State::Failing);
        let close = sends.then(|| Close::new(CloseCode::PROTOCOL_ERROR, "broken"));
        assert_eq!(failed.close, close, "{state:?}");
        let told = match state {
            State::Closed => "none",
            _ => "broken",
        };
        assert_eq!(failed.ending, ending(told), "{state:?}");
        assert_eq!(session.state(), State::Closed);
    }
}

#[test]
fn the_transport_ends() {
    let reset: &dyn Display = &"reset";
    for state in ALL {
        for error in [None, Some(reset)] {
            let (mut session, _) = in_state(state);
            let told = match state {
                State::Open if error.is_some() => "reset",
                State::Open => "Unexpected EOF",
                State::Failing => "a limit is exceeded",
                State::Closing(Closing::Sent) | State::Terminated => "silent",
                State::Closing(Closing::Received) => "clean",
                State::Closed => "none",
            };
            assert_eq!(session.transport_ended(error), ending(told), "{state:?}");
            assert_eq!(session.state(), State::Closed);
            assert_eq!(session.transport_ended(error), None);
        }
    }
}

#[test]
fn everything_is_written() {
    for state in ALL {
        let (mut session, _) = in_state(state);
        let (told, expected) = match state {
            State::Closing(Closing::Received) => ("clean", State::Closed),
            other => ("none", other),
        };
        assert_eq!(session.finish(), ending(told), "{state:?}");
        assert_eq!(session.state(), expected);
    }
}

#[test]
fn what_may_happen_in_each_state() {
    for state in ALL {
        let (session, _) = in_state(state);
        let may = [
            session.can_send(),
            session.delivers(),
            session.is_closing(),
            session.can_receive(),
            session.is_last_word(),
        ];
        let expected = match state {
            State::Open => [true, true, false, true, false],
            State::Failing => [false, true, false, true, false],
            State::Closing(Closing::Sent) => [false, false, true, true, false],
            State::Closing(Closing::Received) => [false, false, true, true, true],
            State::Terminated => [false, false, false, true, false],
            State::Closed => [false; 5],
        };
        assert_eq!(may, expected, "{state:?}");
    }
}

#[test]
fn the_application_is_told_that_closing_has_begun_once() {
    for state in ALL {
        let (mut session, _) = in_state(state);
        let is_news = matches!(state, State::Closing(_));
        assert_eq!(session.take_closing(), is_news, "{state:?}");
        assert!(!session.take_closing(), "{state:?}");
    }
    // An application that closes the session itself knows this.
    let (mut session, _) = in_state(State::Open);
    session.announce_closing();
    assert!(session.close() && !session.take_closing());
    assert_eq!(session.ready_state(), ReadyState::Closing);
}

#[test]
fn an_application_that_comes_late_is_told() {
    let now = Instant::now();
    let mut session = Session::new(now);
    assert!(session.can_send());
    assert!(session.close());
    assert!(!session.take_closing(), "nobody is there");
    session.attach(now);
    assert!(session.take_closing());
}

#[test]
fn a_failure_counts_more_than_the_closing_handshake() {
    let (mut session, _) = in_state(State::Failing);
    assert_eq!(session.receive_close(bye()), Some(bye()));
    assert_eq!(session.fail_now(), None);
    assert_eq!(session.finish(), ending("a limit is exceeded"));
}

#[test]
fn an_end_with_lost_data_is_not_clean() {
    let (mut session, _) = in_state(State::Closing(Closing::Received));
    assert!(session.lose_data() && !session.lose_data());
    let told = session.finish().unwrap();
    assert_eq!((told.code, told.was_clean), (1000, false));
}

#[test]
fn a_transport_that_is_cut_off_takes_no_message() {
    let (mut session, _) = in_state(State::Open);
    session.cut_off();
    assert!(!session.can_send() && session.delivers());
    assert!(!session.fail_later(CloseCode::POLICY_VIOLATION, failure));
    assert_eq!(session.receive_close(bye()), Some(bye()));
    assert_eq!(session.finish(), ending("clean"));
}

#[test]
fn a_close_frame_without_a_code() {
    let (mut session, _) = in_state(State::Open);
    assert_eq!(session.receive_close(Close::empty()), Some(Close::empty()));
    assert_eq!(session.finish().unwrap().code, 1005);
}

// Pings and Pongs.

#[test]
fn the_last_ping_is_answered_and_those_between_are_not() {
    let (mut session, _) = in_state(State::Open);
    assert!(session.receive_ping(b"1", false));
    assert_eq!(session.next_pong(), None);
    assert!(!session.receive_ping(b"2", true));
    assert!(!session.receive_ping(b"3", true));
    assert_eq!(session.next_pong().as_deref(), Some(&b"3"[..]));
    assert_eq!(session.next_pong(), None);

    // If a Ping is answered at once, the Ping before it need not be answered.
    assert!(!session.receive_ping(b"4", true));
    assert!(session.receive_ping(b"5", false));
    assert_eq!(session.next_pong(), None);
}

#[test]
fn nothing_is_answered_behind_a_close_frame() {
    for state in ALL {
        let (mut session, _) = in_state(state);
        let answers = matches!(state, State::Open | State::Failing);
        assert_eq!(session.receive_ping(b"1", false), answers, "{state:?}");
    }
    let (mut session, _) = in_state(State::Open);
    assert!(!session.receive_ping(b"1", true));
    assert!(session.close());
    assert_eq!(session.next_pong(), None);
}

#[test]
fn control_frames_are_counted() {
    let (mut session, now) = in_state(State::Open);
    for _ in 0..CONFIG.max_control_frames {
        assert_eq!(session.count_control(now, &CONFIG), Ok(()));
    }
    let error = ProtocolError::TooManyControlFrames { limit: 3 };
    assert_eq!(session.count_control(now, &CONFIG), Err(error));
    assert_eq!(session.count_control(now + SECOND, &CONFIG), Ok(()));
}

// Deadlines.

/// What is due at `now`, if nothing waits to be sent.
fn due(session: &mut Session, now: Instant) -> Option<Timeout> {
    session.handle_timeout(now, &CONFIG, true, Outgoing::default)
}

#[test]
fn a_silent_peer_is_asked_and_given_up() {
    let (mut session, start) = in_state(State::Open);
    assert_eq!(
        session.poll_timeout(&CONFIG, true),
        Some(start + SECOND * 15)
    );
    assert_eq!(due(&mut session, start + SECOND * 14), None);
    assert_eq!(due(&mut session, start + SECOND * 15), Some(Timeout::Ping));
    assert_eq!(due(&mut session, start + SECOND * 29), None);
    let Some(Timeout::Silent(failed)) = due(&mut session, start + SECOND * 30) else {
        panic!("the peer had its time");
    };
    let close = Close::new(CloseCode::GOING_AWAY, NO_PONG);
    assert_eq!(failed.close, Some(close));
    let told = failed.ending.unwrap();
    assert_eq!((told.code, told.was_clean), (1001, false));
    assert_eq!(
        (&*told.reason, told.error.as_deref()),
        (NO_PONG, Some(NO_PONG))
    );
}

#[test]
fn silence_counts_only_while_the_peer_is_listened_to() {
    for state in ALL {
        let (session, _) = in_state(state);
        let is_watched = matches!(state, State::Open | State::Failing);
        let at = session.poll_timeout(&CONFIG, true);
        assert_eq!(at.is_some(), is_watched, "{state:?}");
        assert_eq!(session.poll_timeout(&CONFIG, false), None, "{state:?}");
    }
    let session = Session::new(Instant::now());
    assert_eq!(session.poll_timeout(&CONFIG, true), None, "nobody is there");
}

#[test]
fn a_peer_that_is_not_to_be_asked_must_be_heard_still() {
    let config = Config {
        idle: CONFIG.idle.map(|limit| IdleTimeout {
            sends_pings: false,
            ..limit
        }),
        ..CONFIG
    };
    let (mut session, start) = in_state(State::Open);
    let mut due = |now| session.handle_timeout(now, &config, true, Outgoing::default);
    assert_eq!(due(start + SECOND * 15), None);
    assert!(matches!(due(start + SECOND * 30), Some(Timeout::Silent(_))));
}

#[test]
fn a_peer_that_does_not_answer_the_close_frame_is_given_up() {
    let (mut session, start) = in_state(State::Closing(Closing::Sent));
    session.await_end(start, &CONFIG, Outgoing::default());
    let at = session.poll_timeout(&CONFIG, true);
    assert_eq!(at, Some(start + SECOND * 10));
    assert_eq!(due(&mut session, start + SECOND * 9), None);
    let given_up = Some(Timeout::GivenUp(ending("silent")));
    assert_eq!(due(&mut session, start + SECOND * 10), given_up);
}

#[test]
fn a_peer_that_does_not_take_the_answer_is_given_up() {
    let (mut session, start) = in_state(State::Closing(Closing::Received));
    session.await_end(start, &CONFIG, Outgoing::default());
    // The code is known, but the peer has not seen this end's Close frame.
    let told = Ending {
        was_clean: false,
        ..ending("clean").unwrap()
    };
    let given_up = Some(Timeout::GivenUp(Some(told)));
    assert_eq!(due(&mut session, start + SECOND * 10), given_up);
}

#[test]
fn a_failed_connection_lingers() {
    let (mut session, start) = in_state(State::Open);
    let _ = session.fail(CloseCode::PROTOCOL_ERROR, "broken".to_owned());
    session.await_end(start, &CONFIG, Outgoing::default());
    let at = session.poll_timeout(&CONFIG, true);
    assert_eq!(at, Some(start + SECOND * 2));
    let given_up = Some(Timeout::GivenUp(None));
    assert_eq!(due(&mut session, start + SECOND * 2), given_up);
}

#[test]
fn the_time_to_answer_begins_when_the_peer_has_taken_what_stands_before() {
    let (mut session, start) = in_state(State::Closing(Closing::Sent));
    let outgoing = |taken| Outgoing {
        queued: 100_000,
        taken,
        is_blocked: true,
    };
    session.await_end(start, &CONFIG, outgoing(0));
    for second in 1..=100 {
        let now = start + SECOND * second;
        let taken = u64::from(second) * 1000;
        let timeout = session.handle_timeout(now, &CONFIG, true, || outgoing(taken));
        assert_eq!(timeout, None, "{second}");
    }
    let end = session.poll_timeout(&CONFIG, true).unwrap();
    assert!(
        end > start + SECOND * 109,
        "the time began when all was taken"
    );
    let timeout = session.handle_timeout(end, &CONFIG, true, || outgoing(100_000));
    assert!(matches!(timeout, Some(Timeout::GivenUp(_))));
}

#[test]
fn a_timeout_may_be_as_long_as_a_duration() {
    let config = Config {
        idle: Some(IdleTimeout {
            timeout: Duration::MAX,
            sends_pings: true,
        }),
        close_timeout: Some(Duration::MAX),
        ..CONFIG
    };
    let (mut session, start) = in_state(State::Open);
    assert!(session.poll_timeout(&config, true).unwrap() > start);
    assert!(session.close());
    session.await_end(start, &config, Outgoing::default());
    assert!(session.poll_timeout(&config, true).unwrap() > start);
}

// Any order.

/// Pseudorandom small numbers (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// The promises that hold for any order of events: at most one Close frame, nothing sent after it,
/// one end, and no report after the end.
#[test]
fn the_promises_hold_in_any_order() {
    for seed in 0..20_000 {
        let mut random = Random(seed);
        let mut now = Instant::now();
        let mut session = Session::new(now);
        let (mut closes, mut endings) = (0, 0);
        let mut trace = Vec::new();
        for _ in 0..40 {
            let before = (session.state(), session.ready_state());
            let step = random.below(17);
            let mut sent_close = false;
            let mut ended = None;
            match step {
                0 => session.attach(now),
                1 => sent_close = session.close(),
                2 => sent_close = session.receive_close(bye()).is_some(),
                3 => {
                    session.fail_later(CloseCode::POLICY_VIOLATION, failure);
                }
                4 => {
                    if let Some(failed) = session.fail_now() {
                        (sent_close, ended) = (failed.close.is_some(), failed.ending);
                    }
                }
                5 if random.below(8) == 0 => session.terminate(),
                6 => ended = session.finish(),
                7 if random.below(8) == 0 => ended = session.transport_ended(None),
                8 if random.below(8) == 0 => {
                    let failed = session.fail(CloseCode::PROTOCOL_ERROR, failure());
                    (sent_close, ended) = (failed.close.is_some(), failed.ending);
                }
                9 => session.announce_closing(),
                10 => {
                    let is_told = session.take_closing();
                    assert!(!is_told || before.1 == ReadyState::Open, "{seed} {trace:?}");
                }
                11 => {
                    let is_answered = session.receive_ping(b"ping", random.below(2) == 0);
                    assert!(!is_answered || closes == 0, "{seed} {trace:?}");
                }
                12 => {
                    let pong = session.next_pong();
                    assert!(pong.is_none() || closes == 0, "{seed} {trace:?}");
                }
                13 => session.heard(now),
                14 => session.await_end(now, &CONFIG, Outgoing::default()),
                15 => now += SECOND * random.below(12) as u32,
                16 => match due(&mut session, now) {
                    Some(Timeout::Silent(failed)) => {
                        (sent_close, ended) = (failed.close.is_some(), failed.ending);
                    }
                    Some(Timeout::GivenUp(ending)) => ended = ending,
                    Some(Timeout::Ping) => assert_eq!(closes, 0, "{seed} {trace:?}"),
                    None => {}
                },
                _ => {}
            }
            trace.push((step, session.state()));
            closes += u32::from(sent_close);
            endings += u32::from(ended.is_some());
            assert!(closes <= 1, "two Close frames: {seed} {trace:?}");
            assert!(endings <= 1, "two ends: {seed} {trace:?}");
            assert_eq!(
                endings == 1,
                session.has_ended(),
                "an end that nobody was told: {seed} {trace:?}"
            );
            assert!(
                closes == 0 || !session.can_send(),
                "a message behind the Close frame: {seed} {trace:?}"
            );
            assert!(
                session.ready_state() >= before.1,
                "what was told is taken back: {seed} {trace:?}"
            );
            if let Some(ended) = ended {
                assert!(
                    !ended.was_clean || session.close_received().is_some(),
                    "a clean end without the peer's Close frame: {seed} {trace:?}"
                );
            }
        }
    }
}

/// Two ends send, ping and close over a transport that keeps the order but has a delay. Both get
/// the same code, and a clean close, whichever end begins.
#[test]
fn two_ends_agree() {
    enum Frame {
        Message,
        Ping,
        Close(Close),
    }
    for seed in 0..5_000 {
        let mut random = Random(seed);
        let now = Instant::now();
        let mut ends = [Session::new(now), Session::new(now)];
        let mut wires = [const { std::collections::VecDeque::new() }; 2];
        let mut endings = [None, None];
        ends.iter_mut().for_each(|end| end.attach(now));
        for _ in 0..10_000 {
            let me = random.below(2) as usize;
            match random.below(6) {
                0 if ends[me].can_send() => wires[me].push_back(Frame::Message),
                1 if ends[me].can_send() => wires[me].push_back(Frame::Ping),
                2 if random.below(20) == 0 && ends[me].close() => {
                    wires[me].push_back(Frame::Close(bye()));
                }
                3 => match wires[1 - me].pop_front() {
                    Some(Frame::Message) => {}
                    Some(Frame::Ping) => {
                        let _ = ends[me].receive_ping(b"", false);
                    }
                    Some(Frame::Close(close)) => {
                        if let Some(answer) = ends[me].receive_close(close) {
                            wires[me].push_back(Frame::Close(answer));
                        }
                    }
                    None => {}
                },
                4 if wires[me].is_empty() => {
                    if let Some(ending) = ends[me].finish() {
                        endings[me] = Some(ending);
                    }
                }
                _ => {}
            }
            if endings.iter().all(Option::is_some) {
                break;
            }
        }
        for told in &endings {
            assert_eq!(*told, ending("clean"), "{seed}");
        }
    }
}
