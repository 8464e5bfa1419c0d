//! Lines that say what is being done and how long it has taken.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use anyhow::Result;

/// Prints a line at the start and the end of each step, unless quiet, and remembers the times.
#[derive(Debug)]
pub struct Progress {
    quiet: bool,
    start: Instant,
    steps: Mutex<Vec<(String, Duration)>>,
}

impl Progress {
    /// Starts the clock.
    pub fn new(quiet: bool) -> Self {
        Self { quiet, start: Instant::now(), steps: Mutex::default() }
    }

    /// Whether nothing is to be printed.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// The time since the start.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Prints one line with the time since the start.
    pub fn say(&self, line: &str) {
        if !self.quiet {
            eprintln!("{:>7.1} s  {line}", self.start.elapsed().as_secs_f64());
        }
    }

    /// Does one step between two lines.
    ///
    /// # Errors
    /// What the step itself answers.
    pub async fn step<T>(&self, what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.say(&format!("{what} …"));
        let begin = Instant::now();
        let result = work.await;
        let took = begin.elapsed();
        let outcome = if result.is_ok() { "done" } else { "FAILED" };
        self.say(&format!("{what}: {outcome} in {:.1} s", took.as_secs_f64()));
        if let Ok(mut steps) = self.steps.lock() {
            steps.push((what.to_owned(), took));
        }
        result
    }

    /// Every step so far with its duration.
    pub fn steps(&self) -> Vec<(String, Duration)> {
        self.steps.lock().map(|steps| steps.clone()).unwrap_or_default()
    }
}
