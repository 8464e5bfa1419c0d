//! Waiting by condition with a deadline: nothing else of the laptop or its tests sleeps.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// The first pause between two looks; it grows by half each time.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// The longest pause between two looks.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Looks until `look` finds something, and returns it with the time it took; fails when `deadline` has passed.
///
/// `look` answers `Ok(None)` for "not yet" and `Err` for "never": an error ends the waiting at once.
pub async fn until<T, F>(what: &str, deadline: Duration, mut look: F) -> Result<T>
where
    F: AsyncFnMut() -> Result<Option<T>>,
{
    let start = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if start.elapsed() >= deadline {
            bail!("waited {:.0} s in vain for {what}", deadline.as_secs_f64());
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn finds_what_comes_later() {
        let mut looks = 0;
        let found = until("the third look", Duration::from_secs(5), async || {
            looks += 1;
            Ok((looks == 3).then_some(looks))
        })
        .await;
        assert_eq!(found.unwrap(), 3);
    }

    #[tokio::test]
    async fn names_what_never_came() {
        let error = until::<(), _>("a miracle", Duration::ZERO, async || Ok(None)).await.unwrap_err();
        assert_eq!(error.to_string(), "waited 0 s in vain for a miracle");
    }
}
