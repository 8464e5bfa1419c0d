//! Going through many seeds on all cores.

use std::{
    env,
    ops::AddAssign,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

/// How many seeds there are unless `SLIPSTREAM_SEEDS` says otherwise. Four fifths of the time go into the SDK, which is
/// not optimised here.
const SEEDS: u64 = 300;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number, not `{text}`")))
}

/// The seeds to go through, in groups of `size`: group `n` has those from `n * size` on.
fn groups(size: u64) -> Vec<(u64, Vec<u64>)> {
    match number("SLIPSTREAM_SEED") {
        Some(seed) => vec![(seed / size, vec![seed])],
        None => {
            let seeds = number("SLIPSTREAM_SEEDS").unwrap_or(SEEDS);
            (0..seeds.div_ceil(size)).map(|n| (n, (n * size..seeds.min((n + 1) * size)).collect())).collect()
        }
    }
}

/// Has no more groups begun once a thread has failed.
struct StopOnPanic<'a>(&'a AtomicU64);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(u64::MAX / 2, Ordering::Relaxed);
        }
    }
}

/// Goes through all seeds, in groups of `size` that have something in common, and adds up what they come to. `begin`
/// makes what a thread needs, and `go` takes it through the seeds of a group.
pub fn go_through<S, T: Default + AddAssign + Send>(
    size: u64,
    begin: impl Fn() -> S + Sync,
    go: impl AsyncFn(&S, u64, &[u64]) -> T + Sync,
) -> T {
    let started = Instant::now();
    let (groups, next, sum) = (groups(size), AtomicU64::new(0), Mutex::new(T::default()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let _stop = StopOnPanic(&next);
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let state = begin();
                while let Some((group, seeds)) =
                    groups.get(usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap())
                {
                    let done = runtime.block_on(go(&state, *group, seeds));
                    *sum.lock().unwrap() += done;
                }
            });
        }
    });
    let seeds: usize = groups.iter().map(|(_, seeds)| seeds.len()).sum();
    println!("{seeds} seeds in {:.1} s", started.elapsed().as_secs_f64());
    sum.into_inner().unwrap()
}
