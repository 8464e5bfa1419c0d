//! Whose mail addresses count: the mail domains of the company.

/// The allowed mail domains.
#[derive(Debug, Clone)]
pub struct MailDomains(Vec<String>);

impl MailDomains {
    /// From a list separated by commas, in any case.
    pub fn new(list: &str) -> Self {
        let domains = list.split(',').map(|domain| domain.trim().to_lowercase());
        Self(domains.filter(|domain| !domain.is_empty()).collect())
    }

    /// Whether the address is at exactly one of them. Domains below them are others.
    pub fn allow(&self, email: &str) -> bool {
        let mut parts = email.split('@');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(local), Some(domain), None) if !local.is_empty() => {
                self.0.iter().any(|allowed| *allowed == domain.to_lowercase())
            }
            _ => false,
        }
    }
}

impl std::fmt::Display for MailDomains {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join(" or "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_domains_count() {
        let domains = MailDomains::new("example.com, Example.org");
        for email in ["emma@example.com", "EMMA@EXAMPLE.COM", "e@example.org"] {
            assert!(domains.allow(email), "{email}");
        }
        for email in ["e@sub.example.com", "e@example.com.evil.com", "a@evil.com@example.com", "@example.com", ""] {
            assert!(!domains.allow(email), "{email}");
        }
        assert_eq!(domains.to_string(), "example.com or example.org");
    }
}
