//! The wheel against a sorted map, over random sequences of all operations.
//!
//! `PROPTEST_CASES` sets how many sequences are tried. A sequence that failed is kept in
//! `wheel_model.proptest-regressions` and tried first from then on.

#![allow(
    unexpected_cfgs,
    reason = "the model derives `Arbitrary` under a feature of the fuzz package"
)]

#[path = "model/wheel.rs"]
mod model;

use model::{Anchor, Budget, Distance, Operation, Pair, Time};
use proptest::prelude::*;

/// Times near slot and level edges, near each other, and at the ends of `u64`.
fn time() -> impl Strategy<Value = Time> {
    let anchor = prop_oneof![
        1 => Just(Anchor::Zero),
        8 => Just(Anchor::Now),
        3 => Just(Anchor::Position),
        4 => (0..12_u16).prop_map(Anchor::Deadline),
    ];
    let distance = prop_oneof![
        6 => Just(Distance::Nothing),
        10 => (0..64_u8).prop_map(Distance::PowerOfTwo),
        10 => (0..8_u8, 0..65_u8)
            .prop_map(|(level, slots)| Distance::SlotOfLevel { level, slots }),
        10 => (0..3_u8, 0..65_u8)
            .prop_map(|(level, slots)| Distance::SlotOfLevel { level, slots }),
        6 => any::<u16>().prop_map(Distance::Short),
        2 => (0..90_u8).prop_map(Distance::Years),
        2 => any::<u64>().prop_map(Distance::Any),
        1 => Just(Distance::Max),
    ];
    times(anchor, distance, 0.15)
}

/// Steps of the clock: mostly short, so that a sequence does not rush to the end of time.
fn clock() -> impl Strategy<Value = Time> {
    let distance = prop_oneof![
        6 => Just(Distance::Nothing),
        20 => (0..42_u8).prop_map(Distance::PowerOfTwo),
        20 => (0..4_u8, 0..65_u8)
            .prop_map(|(level, slots)| Distance::SlotOfLevel { level, slots }),
        10 => any::<u16>().prop_map(Distance::Short),
        1 => (0..40_u8).prop_map(Distance::Years),
    ];
    let anchor = prop_oneof![9 => Just(Anchor::Now), 1 => Just(Anchor::Position)];
    times(anchor, distance, 0.1)
}

/// Times at a distance from an anchor: after it, or with this probability before it.
fn times(
    anchor: impl Strategy<Value = Anchor>,
    distance: impl Strategy<Value = Distance>,
    before: f64,
) -> impl Strategy<Value = Time> {
    let before = prop::bool::weighted(before);
    (anchor, distance, before, 0..4_u8).prop_map(|(anchor, distance, before, nudge)| Time {
        anchor,
        distance,
        before,
        nudge,
    })
}

fn budget() -> impl Strategy<Value = Budget> {
    prop_oneof![
        3 => (0..4_u8).prop_map(Budget::AtMost),
        1 => any::<u8>().prop_map(Budget::AtMost),
        3 => Just(Budget::Unlimited),
    ]
}

fn pick() -> impl Strategy<Value = u16> {
    prop_oneof![4 => 0..12_u16, 1 => any::<u16>()]
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        60 => time().prop_map(Operation::Insert),
        4 => (time(), any::<u8>())
            .prop_map(|(time, count)| Operation::InsertEqual { time, count }),
        20 => pick().prop_map(Operation::Remove),
        6 => pick().prop_map(Operation::Look),
        40 => (pick(), time()).prop_map(|(pick, time)| Operation::Reschedule(pick, time)),
        6 => pick().prop_map(Operation::Unschedule),
        20 => clock().prop_map(Operation::Clock),
        1 => time().prop_map(Operation::Clock),
        20 => (0..4_u8).prop_map(|nudge| Operation::ClockToNext { nudge }),
        40 => budget().prop_map(Operation::Expire),
        12 => budget().prop_map(Operation::Fire),
        3 => (time(), 0..20_u8).prop_map(|(time, rounds)| Operation::Churn { time, rounds }),
        1 => Just(Operation::Clear),
        1 => any::<u8>().prop_map(|taken| Operation::Drain { taken }),
        2 => Just(Operation::Iterate),
        3 => Just(Operation::Shrink),
        2 => (0..1_000_u16).prop_map(Operation::Reserve),
        2 => (0..3_u8).prop_map(Operation::Retain),
        8 => (0..20_u8).prop_map(|taken| Operation::DrainExpired { taken }),
    ]
}

fn run(start: Time, operations: Vec<Operation>) {
    let mut pair = Pair::new();
    pair.apply(Operation::Clock(start));
    pair.apply(Operation::Expire(Budget::Unlimited));
    for operation in operations {
        pair.apply(operation);
    }
    pair.finish();
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES")
            .ok()
            .and_then(|cases| cases.parse().ok())
            .unwrap_or(1_000),
        max_shrink_iters: 100_000,
        ..ProptestConfig::default()
    })]

    /// A wheel that starts at time zero, or after an uptime of decades, or anywhere else.
    #[test]
    fn matches_a_sorted_map(
        start in prop_oneof![
            Just(Time { anchor: Anchor::Zero, distance: Distance::Nothing, before: false, nudge: 1 }),
            time(),
        ],
        operations in prop::collection::vec(operation(), 1..150),
    ) {
        run(start, operations);
    }

    /// Few entries in a narrow time, where everything meets everything.
    #[test]
    fn matches_a_sorted_map_in_close_quarters(
        operations in prop::collection::vec(
            prop_oneof![
                (0..3_u8, 0..4_u8, 0..4_u8).prop_map(|(level, slots, nudge)| {
                    Operation::Insert(near(level, slots, nudge))
                }),
                (0..4_u16, 0..3_u8, 0..4_u8, 0..4_u8).prop_map(|(pick, level, slots, nudge)| {
                    Operation::Reschedule(pick, near(level, slots, nudge))
                }),
                (0..4_u16).prop_map(Operation::Remove),
                (0..4_u8).prop_map(|nudge| Operation::ClockToNext { nudge }),
                (0..2_u8, 0..4_u8, 0..4_u8).prop_map(|(level, slots, nudge)| {
                    Operation::Clock(near(level, slots, nudge))
                }),
                budget().prop_map(Operation::Expire),
                budget().prop_map(Operation::Fire),
            ],
            1..60,
        ),
    ) {
        run(near(0, 0, 1), operations);
    }
}

fn near(level: u8, slots: u8, nudge: u8) -> Time {
    Time {
        anchor: Anchor::Now,
        distance: Distance::SlotOfLevel { level, slots },
        before: false,
        nudge,
    }
}
