use std::thread;
use std::time::{Duration, Instant};

use duplex_protocol::frame::Role;

use super::block::{Block, here};
use super::notes::Stamp;
use super::{Class, CloseCodes, Exposition, Kind, MessageKind, PassedLimit, Queued, Snapshot};

#[test]
fn blocks_are_summed() {
    let (first, second) = (Block::new(0), Block::new(1));
    let class = Class::new(Role::Server, false, true);
    first.opened(class);
    first.opened(class);
    // The end may be counted on another thread.
    second.closed(class, 4321, Duration::from_secs(3));
    first.received(MessageKind::Text, 5);
    second.received(MessageKind::Text, 7);
    second.sent(MessageKind::Binary, 9);
    first.queue_changed(0, 100);
    second.queue_changed(100, 30);
    second.met_backpressure(Queued::Refused);
    first.passed(PassedLimit::CloseTimeout);
    let sum = Snapshot::of(&[&first, &second]);
    assert_eq!((sum.open(class), sum.opened(class)), (1, 2));
    assert_eq!(sum.closed(false, CloseCodes::of(3000)), 1);
    assert_eq!(sum.closed(true, CloseCodes::of(3000)), 0);
    assert_eq!(sum.received(MessageKind::Text), 2);
    assert_eq!(sum.received_bytes(MessageKind::Text), 12);
    assert_eq!(sum.received(MessageKind::Binary), 0);
    assert_eq!(sum.sent_bytes(MessageKind::Binary), 9);
    assert_eq!(sum.send_queue_bytes(), 30);
    assert_eq!(sum.backpressure(Queued::Refused), 1);
    assert_eq!(sum.passed(PassedLimit::CloseTimeout), 1);
    assert_eq!(sum.passed(PassedLimit::IdleTimeout), 0);
    let ages = sum.ages(false);
    assert_eq!((ages.count, ages.sum), (1, 3.0));
    let below = |bound: f64| ages.buckets.iter().find(|it| it.0 == bound).unwrap().1;
    assert_eq!((below(2.0), below(5.0), below(300.0)), (0, 1, 1));
}

#[test]
fn a_bound_is_in_its_bucket() {
    let block = Block::new(0);
    block.lagged(Duration::from_millis(10));
    block.lagged(Duration::from_micros(10_001));
    block.lagged(Duration::from_secs(301));
    let lag = Snapshot::of(&[&block]).lag();
    let below = |bound: f64| lag.buckets.iter().find(|it| it.0 == bound).unwrap().1;
    assert_eq!((below(0.005), below(0.01), below(0.02)), (0, 1, 2));
    assert_eq!((below(300.0), lag.count), (2, 3));
}

#[test]
fn each_code_counts_once() {
    let named: Vec<String> = CloseCodes::all().map(CloseCodes::name).collect();
    assert_eq!(named.len(), CloseCodes::COUNT);
    for (code, name) in [
        (1000, "1000"),
        (1006, "1006"),
        (1015, "1015"),
        (1016, "other"),
        (2999, "other"),
        (3000, "application"),
        (4999, "application"),
        (5000, "other"),
        (0, "other"),
    ] {
        assert_eq!(CloseCodes::of(code).name(), name);
        assert!(named.iter().any(|it| it == name));
    }
}

#[test]
fn a_block_outlives_its_thread() {
    let count = |add: u64| {
        thread::spawn(move || {
            let block = here();
            block.delivered(add);
            (block.number, Snapshot::of(&[block]).delivered())
        })
        .join()
        .unwrap()
    };
    // Other tests start and end threads meanwhile, so that the next thread may get the block of
    // another thread.
    let seen: Vec<_> = (0..50).map(|_| count(3)).collect();
    assert!(seen.iter().all(|(_, delivered)| *delivered >= 3));
    let total = Snapshot::take().delivered();
    assert!(total >= 150, "{total}");
}

#[test]
fn a_stamp_survives_its_turn() {
    let now = Instant::now();
    let stamp = Stamp::at(now);
    let later = now + Duration::from_millis(u64::from(u32::MAX) / 2);
    let age = stamp.elapsed(later);
    assert!(
        age.abs_diff(later - now) <= Duration::from_millis(1),
        "{age:?}"
    );
    let stamp = Stamp::at(later);
    let turned = later + Duration::from_millis(u64::from(u32::MAX) - 1000);
    let age = stamp.elapsed(turned);
    assert!(
        age.abs_diff(turned - later) <= Duration::from_millis(1),
        "{age:?}"
    );
}

#[test]
fn the_text_is_what_prometheus_reads() {
    let block = Block::new(0);
    block.lagged(Duration::from_secs(1));
    let mut out = Exposition::default();
    out.family("a_total", Kind::Counter, "What\nit \\ is.");
    out.sample(&[], 1);
    out.sample(&[("x", "\"\n\\"), ("y", "é")], 2);
    out.family("b", Kind::Histogram, "b.");
    out.histogram(&[("z", "1")], &Snapshot::of(&[&block]).lag());
    let text = out.into_text();
    let start = "# HELP a_total What\\nit \\\\ is.\n# TYPE a_total counter\na_total 1\n\
                 a_total{x=\"\\\"\\n\\\\\",y=\"é\"} 2\n# HELP b b.\n# TYPE b histogram\n\
                 b_bucket{z=\"1\",le=\"0.001\"} 0\n";
    assert!(text.starts_with(start), "{text}");
    let end = "b_bucket{z=\"1\",le=\"300\"} 1\nb_bucket{z=\"1\",le=\"+Inf\"} 1\n\
               b_sum{z=\"1\"} 1\nb_count{z=\"1\"} 1\n";
    assert!(text.ends_with(end), "{text}");
}

#[test]
fn all_families_have_samples_or_are_empty_by_their_nature() {
    let mut out = Exposition::default();
    Snapshot::of(&[]).expose(&mut out);
    let text = out.into_text();
    let mut names: Vec<&str> = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("# TYPE ") {
            Some(rest) => names.push(rest.split(' ').next().unwrap()),
            None if line.starts_with('#') => {}
            None => {
                let name = names.last().unwrap();
                assert!(line.starts_with(name), "{line} is not of {name}");
            }
        }
    }
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), names.len(), "a family stands twice");
    for name in names {
        let is_empty = !text.lines().any(|line| line.starts_with(name));
        assert_eq!(is_empty, name.contains("handshakes_refused"), "{name}");
    }
}
