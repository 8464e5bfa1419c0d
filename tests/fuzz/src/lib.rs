//! What the targets share: each run is watched for panics, memory and time.
//!
//! A panic in the project's own code ends the run, as libFuzzer expects. One inside of a library is caught by the
//! product and becomes a named reason: it is noted once for each place, the bytes are kept in `findings/`, and the run
//! goes on. So it does after more memory or time than the product allows itself; much more of either ends it.

use std::{
    collections::BTreeSet,
    fs,
    panic::PanicHookInfo,
    path::{Path, PathBuf},
    process,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What one file may take, in bytes.
const MAX_BYTES: usize = 128 << 20;
/// How long one file may take on an idle machine.
const MAX_TIME: Duration = Duration::from_secs(2);

/// The bytes that are looked at; a panic may come from a thread that does not have them.
static CURRENT: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
static FOLDER: OnceLock<PathBuf> = OnceLock::new();

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes a finding, once for each `place`, and keeps the bytes.
fn note(place: &str, what: &str) {
    let mut seen = lock(&SEEN);
    if !seen.insert(place.to_owned()) {
        return;
    }
    eprintln!("finding: {place}: {what}");
    let Some(folder) = FOLDER.get() else { return };
    let name: String = place.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let kept = folder.join(name);
    if !kept.exists()
        && let Err(error) = fs::create_dir_all(folder).and_then(|()| fs::write(&kept, &*lock(&CURRENT)))
    {
        eprintln!("{}: {error}", kept.display());
    }
}

fn panicked(info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let what = info.payload_as_str().unwrap_or_default();
    // A library is named by its folder in the registry, the own code by a path outside of it.
    let Some((_, library)) = place.split_once("/registry/src/") else {
        eprintln!("panic at {place}: {what}");
        process::abort();
    };
    note(library.split_once('/').map_or(library, |(_, library)| library), what);
}

/// To be called once by each target. Findings are kept under its name.
pub fn start(target: &str) {
    let folder = Path::new("findings").join(target);
    FOLDER.get_or_init(|| folder);
    std::panic::set_hook(Box::new(panicked));
}

/// Runs `work` on some bytes.
pub fn watch(bytes: &[u8], work: impl FnOnce(&[u8])) {
    {
        let mut current = lock(&CURRENT);
        current.clear();
        current.extend_from_slice(bytes);
    }
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let start = Instant::now();
    work(bytes);
    let took = start.elapsed();
    let peak = MEMORY.peak_usage().saturating_sub(before);
    if peak > MAX_BYTES {
        // One for each doubling.
        note(&format!("memory {} MB and more", (peak.next_power_of_two() / 2) >> 20), &format!("{peak} bytes"));
    }
    if took > MAX_TIME {
        note(&format!("{} s and more", took.as_secs().next_power_of_two()), &format!("{took:?}"));
    }
}
