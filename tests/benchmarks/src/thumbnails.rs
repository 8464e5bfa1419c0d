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

/// What the comparison printed, or why there is nothing: without Node or a network it fails, and all that was measured
/// before shall be told nevertheless.
#[must_use]
pub fn section(told: &Result<Option<String>>) -> String {
    match told {
        Ok(Some(told)) => format!("Thumbnails:\n\n{told}"),
        Ok(None) => "Thumbnails are not measured: there is no tests/benchmarks/thumbnails/compare.".to_owned(),
        Err(error) => format!("Thumbnails are not measured: {error:#}"),
    }
}

/// The ratio of times to sharp, from what the comparison printed; that of processor time stands behind a comma.
#[must_use]
pub fn ratio(told: &str) -> Option<&str> {
    let (_, ratios) = told.lines().find(|line| line.starts_with("ratio to sharp"))?.rsplit_once(": ")?;
    ratios.split(',').next().map(str::trim)
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_comparison_that_fails_is_told_with_its_reason() {
        let failed = Err(anyhow!("cannot install sharp: npm is not on the PATH").context("compare"));
        let told = section(&failed);
        assert_eq!(told, "Thumbnails are not measured: compare: cannot install sharp: npm is not on the PATH");
        assert_eq!(section(&Ok(Some("a table\n".to_owned()))), "Thumbnails:\n\na table\n");
    }

    #[test]
    fn the_ratio_is_that_of_times() {
        let told = "a table\nratio to sharp, median of rounds: 0.94, CPU 0.75\nratio to libvips: 0.22, CPU 0.33\n";
        assert_eq!(ratio(told), Some("0.94"));
        assert_eq!(ratio("a table\n"), None);
    }
}
