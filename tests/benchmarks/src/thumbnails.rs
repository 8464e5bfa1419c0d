//! Thumbnails beside sharp and libvips: a program of its own, since it needs Node.

use anyhow::Result;
use slipstream_local::compile::Checkout;

use crate::python::Python;

/// Runs `tests/benchmarks/thumbnails/compare` and returns what it printed; nothing where there is no such program.
///
/// # Errors
/// When it fails.
pub async fn compare(checkout: &Checkout) -> Result<Option<String>> {
    let path = checkout.root.join("tests/benchmarks/thumbnails/compare");
    if !path.is_file() {
        return Ok(None);
    }
    Ok(Some(Python::prepare(checkout).await?.run(&path, &checkout.target).await?))
}

/// The ratio of times to sharp, from what the comparison printed.
#[must_use]
pub fn ratio(told: &str) -> Option<&str> {
    told.lines().find(|line| line.starts_with("ratio to sharp"))?.rsplit_once(": ").map(|(_, ratio)| ratio.trim())
}
