//! The function behind Lambda's event source mapping, as the template configures it: whatever the bus, the bucket and the
//! environment do, no event is lost, and nothing is sent again needlessly.
//!
//! [`mapping`] is the model of Lambda; [`world`] the bus and the bucket, and what is looked at after every invocation.

#![expect(clippy::unwrap_used, reason = "all of it is a test")]

mod eventbridge;
mod mapping;
mod world;

use proptest::prelude::*;

use crate::{
    mapping::{AtFirst, Mapping, Quota, Reading, sequence_number},
    world::{ATTEMPTS, Fate, Kind, MALFORMED, MAX_BYTES, NEVER, Refusal, World},
};

/// A reading for what no reading changes.
const ANY: Reading = Reading::ALL[0];

/// Both answers to what becomes of a batch whose first record is reported, each with the three to the quota in turns.
const fn readings(turn: usize) -> [Reading; 2] {
    [Reading::ALL[turn % 3], Reading::ALL[3 + (turn + 1) % 3]]
}

/// The template's mapping in these readings, with its retries only now and then, and otherwise with `least` or one more:
/// more of the same takes the tests long.
fn mappings(turn: usize, least: u32) -> [Mapping; 2] {
    let few = least + u32::try_from(turn / 3 % 2).unwrap();
    readings(turn).map(Mapping::of_template).map(|mapping| {
        let max_retries = if turn.is_multiple_of(64) { mapping.max_retries } else { few };
        Mapping { max_retries, ..mapping }
    })
}

/// Every way in which some of ten entries are refused, as whether each is; and a number of its own for what goes in turns,
/// which follows from no entry in particular.
fn patterns() -> impl Iterator<Item = (usize, [bool; 10])> {
    (1..1 << 10).map(|pattern| (pattern * 389 % 1023, std::array::from_fn(|n| pattern >> n & 1 == 1)))
}

/// Ten events, those of the pattern refused.
fn ten(pattern: [bool; 10], refusal: Refusal) -> World {
    World::new(&pattern.map(|refused| Kind::Event(0, if refused { refusal } else { NEVER })))
}

/// Refused less often than the function tries: one invocation, and each event is on the bus once.
#[tokio::test(start_paused = true)]
async fn what_is_refused_at_first_is_sent_again_at_once() {
    let mapping = Mapping::of_template(ANY);
    for (turn, pattern) in patterns() {
        let times = 1 + turn % (ATTEMPTS as usize - 1);
        let world = ten(pattern, Refusal::Times(u32::try_from(times).unwrap()));
        let outcome = world.deliver(&mapping, &[]).await;
        assert_eq!((outcome.deliveries.len(), outcome.discarded.len()), (1, 0));
        assert_eq!(world.done(), [1; 10]);
        let refused: Vec<usize> = (0..10).filter(|n| pattern[*n]).collect();
        let mut calls = vec![(0..10).collect()];
        calls.extend(vec![refused; times]);
        assert_eq!(world.calls(), calls, "only the refused are sent again");
    }
}

/// Refused in as many whole invocations as there are retries: every event is on the bus, those that were refused once, and
/// none is given up.
#[tokio::test(start_paused = true)]
async fn what_is_refused_for_some_invocations_gets_through() {
    let mut invocations_in_all = 0;
    for (turn, pattern) in patterns() {
        let lowest = pattern.iter().position(|refused| *refused).unwrap();
        for mapping in mappings(turn, 1) {
            let times = mapping.max_retries;
            let world = ten(pattern, Refusal::Invocations(times));
            let outcome = world.deliver(&mapping, &[]).await;
            assert_eq!(outcome.given_up(), Vec::<&str>::new());
            let (done, invocations, asked) = (world.done(), world.invocations(), world.asked());
            for n in 0..10 {
                if pattern[n] {
                    assert_eq!((done[n], invocations[n], asked[n]), (1, times + 1, times * ATTEMPTS + 1));
                } else {
                    assert_eq!(done[n], asked[n], "what is taken is not sent again in the same invocation");
                    assert!(if n < lowest { done[n] == 1 } else { (1..=times + 1).contains(&done[n]) });
                }
            }
            if mapping.reading.at_first == AtFirst::Whole {
                let calls: Vec<usize> = (0..times).map(|_| ATTEMPTS as usize).chain([1]).collect();
                assert_eq!(world.calls_each(), calls);
            }
            invocations_in_all += outcome.deliveries.len();
        }
    }
    println!("{invocations_in_all} invocations");
}

/// Refused for ever: every other event is on the bus, and those end whole in the on-failure destination, with no more of
/// their neighbours than the reading makes of it.
#[tokio::test(start_paused = true)]
async fn what_is_refused_for_ever_is_given_up_whole() {
    let mut invocations_in_all = 0;
    for (turn, pattern) in patterns() {
        let lowest = pattern.iter().position(|refused| *refused).unwrap();
        for mapping in mappings(turn, 0) {
            let reading = mapping.reading;
            let world = ten(pattern, Refusal::Always);
            let outcome = world.deliver(&mapping, &[]).await;
            let (done, records) = (world.done(), world.records());
            for n in 0..10 {
                assert_eq!(done[n] == 0, pattern[n]);
            }
            let exactly: Vec<&str> = match reading.at_first {
                AtFirst::Whole => records[lowest..].iter().map(sequence_number).collect(),
                AtFirst::Halves => (0..10).filter(|n| pattern[*n]).map(|n| sequence_number(&records[n])).collect(),
            };
            let given_up = outcome.given_up();
            if reading == (Reading { at_first: AtFirst::Halves, quota: Quota::Counted }) {
                assert!(
                    exactly.iter().all(|number| given_up.contains(number)),
                    "its retries may end before it is alone"
                );
            } else {
                assert_eq!(given_up, exactly);
            }
            assert!(outcome.discarded.iter().all(|discarded| discarded.condition == "RetryAttemptsExhausted"));
            invocations_in_all += outcome.deliveries.len();
        }
    }
    println!("{invocations_in_all} invocations");
}

/// The shard goes on after what is refused for ever: the next batches come, in order.
#[tokio::test(start_paused = true)]
async fn the_shard_goes_on() {
    for reading in Reading::ALL {
        let mapping = Mapping { batch_size: 4, ..Mapping::of_template(reading) };
        for refused in 0..12 {
            let refusal = |n| if n == refused { Refusal::Always } else { NEVER };
            let world = World::new(&(0..12).map(|n| Kind::Event(0, refusal(n))).collect::<Vec<_>>());
            let outcome = world.deliver(&mapping, &[]).await;
            assert!(world.done().iter().enumerate().all(|(n, done)| (*done == 0) == (n == refused)));
            assert!(outcome.given_up().len() <= 4);
        }
    }
}

/// Without refusals there are as few calls as the limits allow.
#[tokio::test(start_paused = true)]
async fn there_are_as_few_calls_as_possible() {
    for n in 0..=100usize {
        let world = World::new(&vec![Kind::Event(0, NEVER); n]);
        world.invoke(&world.publisher(), world.batch(), Fate::Well).await.unwrap();
        assert_eq!(world.calls().len(), n.div_ceil(10), "none for an empty batch");
        assert!(world.done().iter().all(|done| *done == 1));
    }
}

/// The fewest runs of at most ten sizes that sum up to at most [`MAX_BYTES`], by trying all of them.
fn fewest_calls(sizes: &[usize]) -> usize {
    let mut fewest = vec![0];
    for end in 1..=sizes.len() {
        let fits = |begin: &usize| end - begin == 1 || sizes[*begin..end].iter().sum::<usize>() <= MAX_BYTES;
        let begins = (end.saturating_sub(10)..end).filter(fits);
        fewest.push(begins.map(|begin| fewest[begin] + 1).min().unwrap());
    }
    fewest[sizes.len()]
}

/// What an event's entry has beside what the tests add to it.
fn least() -> usize {
    let world = World::new(&[Kind::Event(0, NEVER)]);
    world.sizes()[0]
}

#[tokio::test(start_paused = true)]
async fn calls_are_filled_to_the_byte() {
    let least = least();
    for (more, calls) in [(0, 1), (1, 2)] {
        let sizes = [MAX_BYTES / 2, MAX_BYTES - MAX_BYTES / 2 + more];
        let world = World::new(&sizes.map(|size| Kind::Event(size - least, NEVER)));
        assert_eq!(world.sizes(), sizes);
        world.invoke(&world.publisher(), world.batch(), Fate::Well).await.unwrap();
        assert_eq!(world.calls().len(), calls, "{sizes:?}");
    }
}

/// An event that no call has room for is sent alone, and given up when the bus won't have it; its neighbours go on.
#[tokio::test(start_paused = true)]
async fn what_is_too_large_goes_alone() {
    for refusal in [NEVER, Refusal::Always] {
        for at in 0..5 {
            for reading in readings(at) {
                let kind = |n| if n == at { Kind::Event(300 * 1024, refusal) } else { Kind::Event(0, NEVER) };
                let world = World::new(&std::array::from_fn::<_, 5, _>(kind));
                let outcome = world.deliver(&Mapping::of_template(reading), &[]).await;
                assert_eq!(outcome.discarded.is_empty(), refusal == NEVER);
                assert!(world.done().iter().enumerate().all(|(n, done)| *done > 0 || n == at));
            }
        }
    }
}

/// Every pattern of malformed records among ten: those are set aside whole, and their neighbours go on at once.
#[tokio::test(start_paused = true)]
async fn malformed_records_are_set_aside_wherever_they_are() {
    let mapping = Mapping::of_template(ANY);
    for (turn, pattern) in patterns() {
        let kinds: Vec<Kind> = (0..10)
            .map(|n| if pattern[n] { Kind::Malformed((turn + n) % MALFORMED, NEVER) } else { Kind::Event(0, NEVER) })
            .collect();
        let world = World::new(&kinds);
        let outcome = world.deliver(&mapping, &[]).await;
        assert_eq!((outcome.deliveries.len(), outcome.discarded.len()), (1, 0));
        assert_eq!(world.done(), [1; 10]);
    }
    for at in 0..31 {
        let kind = |n| if n == at { Kind::Malformed(at % MALFORMED, NEVER) } else { Kind::Event(0, NEVER) };
        let world = World::new(&std::array::from_fn::<_, 31, _>(kind));
        assert_eq!(world.deliver(&mapping, &[]).await.deliveries.len(), 1);
        assert_eq!((world.done(), world.calls().len()), (vec![1; 31], 3), "it takes no place in a call");
    }
}

/// Five things that may be the matter with a record, in every order of four: what can be done is done, and what the bucket
/// refuses is reported, and kept later.
#[tokio::test(start_paused = true)]
async fn faults_of_neighbours_do_not_matter() {
    let matters = |turn: usize| {
        [
            Kind::Event(0, NEVER),
            Kind::Event(0, Refusal::Invocations(2)),
            Kind::Event(0, Refusal::Always),
            Kind::Malformed(turn % MALFORMED, Refusal::Invocations(2)),
            Kind::Malformed(turn % MALFORMED, Refusal::Always),
        ]
    };
    for turn in 0..5usize.pow(4) {
        let kinds = [0, 1, 2, 3].map(|n| matters(turn)[turn / 5usize.pow(n) % 5]);
        for mapping in mappings(turn, 2) {
            let world = World::new(&kinds);
            let outcome = world.deliver(&mapping, &[]).await;
            let given_up = outcome.given_up();
            let (done, records) = (world.done(), world.records());
            for n in 0..4 {
                let for_ever = kinds[n].refused_for_ever();
                assert_eq!(done[n] == 0, for_ever, "{kinds:?} {:?}", mapping.reading);
                let mine = given_up.contains(&sequence_number(&records[n]));
                assert!(mine || !for_ever, "what is refused for ever is given up");
            }
            let some = kinds.iter().any(Kind::refused_for_ever);
            assert!(some || given_up.is_empty(), "nothing else is given up");
        }
    }
}

/// A bus that falls silent costs no more than what it was silent about: the function does not run into its timeout, and
/// what was taken before is not sent again.
#[tokio::test(start_paused = true)]
async fn silence_is_no_failure_of_the_batch() {
    for reading in Reading::ALL {
        let mapping = Mapping::of_template(reading);
        for from in 0..10 {
            let world = World::new(&vec![Kind::Event(0, NEVER); 100]);
            let outcome = world.deliver(&mapping, &[Fate::Silent(from)]).await;
            assert!(outcome.discarded.is_empty());
            assert!(world.done()[..from * 10].iter().all(|done| *done == 1));
        }
    }
}

/// Nor does a bucket that falls silent hold up the events.
#[tokio::test(start_paused = true)]
async fn a_silent_bucket_holds_up_no_event() {
    let malformed = |n| if n % 2 == 0 { Kind::Malformed(n % MALFORMED, NEVER) } else { Kind::Event(0, NEVER) };
    for reading in Reading::ALL {
        let world = World::new(&std::array::from_fn::<_, 100, _>(malformed));
        let answer = world.invoke(&world.publisher(), world.batch(), Fate::BucketSilent).await.unwrap();
        assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 50);
        assert!(world.done().iter().enumerate().all(|(n, done)| *done == u32::from(n % 2 == 1)));
        world.deliver(&Mapping::of_template(reading), &[Fate::BucketSilent]).await;
        assert!(world.done().iter().all(|done| *done > 0));
    }
}

/// A slow bus gets as many invocations as it needs.
#[tokio::test(start_paused = true)]
async fn a_slow_bus_gets_all_in_the_end() {
    for reading in Reading::ALL {
        let world = World::new(&vec![Kind::Event(0, NEVER); 100]);
        let outcome = world.deliver(&Mapping::of_template(reading), &[Fate::Slow(11); 20]).await;
        assert!(outcome.discarded.is_empty());
    }
}

/// An environment that dies, or an answer that is lost, at every call: what was put may be put twice.
#[tokio::test(start_paused = true)]
async fn a_death_at_any_call_loses_nothing() {
    for reading in Reading::ALL {
        let mapping = Mapping::of_template(reading);
        for fate in (0..10).map(Fate::Dies).chain([Fate::Unheard]) {
            let world = World::new(&vec![Kind::Event(0, NEVER); 100]);
            let outcome = world.deliver(&mapping, &[fate]).await;
            assert_eq!((outcome.deliveries.len(), outcome.discarded.len()), (3, 0));
            assert!(world.done().iter().all(|done| (1..=2).contains(done)));
        }
    }
}

fn refusals() -> impl Strategy<Value = Refusal> {
    prop_oneof![
        8 => Just(NEVER),
        2 => (1u32..12).prop_map(Refusal::Times),
        2 => (1u32..8).prop_map(Refusal::Invocations),
        1 => Just(Refusal::Always),
    ]
}

fn kinds() -> impl Strategy<Value = Kind> {
    let sizes = prop_oneof![12 => Just(0), 2 => 0usize..2000, 1 => 20_000usize..60_000];
    prop_oneof![
        8 => (sizes, refusals()).prop_map(|(more, refusal)| Kind::Event(more, refusal)),
        1 => (0..MALFORMED, refusals()).prop_map(|(way, refusal)| Kind::Malformed(way, refusal)),
    ]
}

fn fates() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Well),
        2 => (0usize..12).prop_map(Fate::Dies),
        1 => Just(Fate::Unheard),
        1 => (0usize..12).prop_map(Fate::Silent),
        1 => (1u64..14).prop_map(Fate::Slow),
        1 => Just(Fate::BucketSilent),
    ]
}

fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Whatever happens to the records and the invocations, and however old they are: each is done in the end, or given up
    /// whole.
    #[test]
    fn nothing_is_lost(
        kinds in prop::collection::vec(kinds(), 0..40),
        fates in prop::collection::vec(fates(), 0..20),
        reading in prop::sample::select(Reading::ALL.to_vec()),
        batch_size in prop::sample::select(vec![1, 3, 10, 100]),
        old in prop::collection::vec(0u64..4000, 0..3),
    ) {
        let world = World::new(&kinds);
        world.age(&old);
        let mapping = Mapping { batch_size, ..Mapping::of_template(reading) };
        let outcome = paused().block_on(world.deliver(&mapping, &fates));
        let given_up = outcome.given_up();
        for ((kind, done), record) in kinds.iter().zip(world.done()).zip(world.records()) {
            let given_up = given_up.contains(&sequence_number(&record));
            prop_assert!(given_up || (done > 0 && !kind.refused_for_ever()));
        }
    }

    /// Whatever the sizes: as few calls as the limits allow, and each is within them.
    #[test]
    fn large_events_take_no_more_calls_than_they_must(
        more in prop::collection::vec(prop_oneof![0usize..1000, 10_000usize..50_000, 80_000usize..280_000], 0..20),
    ) {
        let world = World::new(&more.iter().map(|more| Kind::Event(*more, NEVER)).collect::<Vec<_>>());
        paused().block_on(world.invoke(&world.publisher(), world.batch(), Fate::Well)).unwrap();
        prop_assert_eq!(world.calls().len(), fewest_calls(&world.sizes()));
        prop_assert_eq!(world.calls().concat(), (0..more.len()).collect::<Vec<_>>());
    }
}
