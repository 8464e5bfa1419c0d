//! Configuration from environment variables. Every fault is told at once, by the variable's name.

use std::{collections::HashMap, env, str::FromStr};

/// What is wrong with the environment.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the environment is incomplete: {}", .0.join("; "))]
pub struct SettingsError(Vec<String>);

/// Reads variables and remembers what is wrong with them.
#[derive(Debug, Default)]
pub struct Settings {
    faults: Vec<String>,
    variables: Option<HashMap<String, String>>,
}

impl Settings {
    /// Reads from the process's environment.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads these variables instead, for tests and measurements.
    pub fn of<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { variables: Some(variables), ..Self::default() }
    }

    fn read(&self, name: &str) -> Option<String> {
        let value = match &self.variables {
            None => env::var(name).ok(),
            Some(variables) => variables.get(name).cloned(),
        };
        value.filter(|value| !value.is_empty())
    }

    /// A text that must be there.
    pub fn text(&mut self, name: &str) -> String {
        self.read(name).unwrap_or_else(|| {
            self.faults.push(format!("{name} is not set"));
            String::new()
        })
    }

    /// A value that must be there and be well formed; `otherwise` stands in for it until [`Settings::finish`] fails.
    pub fn parsed<T: FromStr>(&mut self, name: &str, form: &str, otherwise: T) -> T {
        let text = self.text(name);
        text.parse().unwrap_or_else(|_| {
            if !text.is_empty() {
                self.faults.push(format!("{name} must be {form}, not `{text}`"));
            }
            otherwise
        })
    }

    /// `value`, if nothing was wrong.
    ///
    /// # Errors
    /// [`SettingsError`] names every missing or malformed variable.
    pub fn finish<T>(self, value: T) -> Result<T, SettingsError> {
        if self.faults.is_empty() { Ok(value) } else { Err(SettingsError(self.faults)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_told_at_once() {
        let mut settings = Settings::of([("TABLE_NAME", "table"), ("TICKET_SECONDS", "soon"), ("RECEIPT_BUCKET", "")]);
        assert_eq!(settings.text("TABLE_NAME"), "table");
        settings.text("RECEIPT_BUCKET");
        settings.parsed("TICKET_SECONDS", "a number of seconds", 0);
        let error = settings.finish(()).unwrap_err().to_string();
        assert!(error.contains("RECEIPT_BUCKET is not set"), "{error}");
        assert!(error.contains("TICKET_SECONDS must be a number of seconds, not `soon`"), "{error}");
    }
}
