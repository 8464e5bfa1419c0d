//! Reading links and forms out of pages and mails, and writing text into pages.

/// A form of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Where it goes, as written; empty means the page's own address.
    pub action: String,
    /// The values that its buttons give to `decision`.
    pub decisions: Vec<String>,
}

/// Every address that a link of the page leads to, in order.
pub fn links(html: &str) -> Vec<String> {
    tags(html, "a").filter_map(|tag| attribute(tag, "href")).collect()
}

/// The forms of a page with their buttons.
pub fn forms(html: &str) -> Vec<Form> {
    let mut forms = Vec::new();
    for (start, tag) in tag_positions(html, "form") {
        let rest = &html[start..];
        let inside = &rest[..rest.find("</form").unwrap_or(rest.len())];
        let decisions = tags(inside, "button")
            .chain(tags(inside, "input"))
            .filter(|tag| attribute(tag, "name").as_deref() == Some("decision"))
            .filter_map(|tag| attribute(tag, "value"))
            .collect();
        forms.push(Form { action: attribute(tag, "action").unwrap_or_default(), decisions });
    }
    forms
}

/// Text made safe to stand in a page, in an attribute too.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn unescape(text: &str) -> String {
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&#x2f;", "/"),
        ("&amp;", "&"),
    ];
    entities.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

fn tags<'a>(html: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    tag_positions(html, name).into_iter().map(|(_, tag)| tag)
}

/// The inside of every opening tag of this name, with its position. Good for pages that we write ourselves.
fn tag_positions<'a>(html: &'a str, name: &str) -> Vec<(usize, &'a str)> {
    let opening = format!("<{name}");
    html.match_indices(opening.as_str())
        .filter_map(|(start, _)| {
            let rest = &html[start + opening.len()..];
            let inside = &rest[..rest.find('>')?];
            inside
                .starts_with(|c: char| c.is_whitespace())
                .then_some((start, inside))
                .or(inside.is_empty().then_some((start, inside)))
        })
        .collect()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let wanted = format!("{name}=");
    let (start, _) =
        tag.match_indices(wanted.as_str()).find(|(start, _)| tag[..*start].ends_with(char::is_whitespace))?;
    let value = &tag[start + wanted.len()..];
    let quote = value.chars().next()?;
    if quote == '"' || quote == '\'' {
        let inside = &value[1..];
        return Some(unescape(&inside[..inside.find(quote)?]));
    }
    Some(unescape(value.split_whitespace().next().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_links_and_undoes_escapes() {
        let html = r#"<abbr href="no">x</abbr><a class="b" href="http://h/api/approvals/t-1?a=1&amp;b=2">go</a> <a href='/x'>y</a><a name=z>"#;
        assert_eq!(links(html), ["http://h/api/approvals/t-1?a=1&b=2", "/x"]);
    }

    #[test]
    fn takes_the_forms_action_and_its_buttons() {
        let html = r#"<form method="post" action=""><textarea name="comment"></textarea>
            <button name="decision" value="approve">Approve</button><button name="decision" value="reject">No</button></form>
            <form method="post" data-action="no"><input type=hidden name=decision value=x></form>"#;
        let both = ["approve".to_owned(), "reject".to_owned()];
        assert_eq!(
            forms(html),
            [
                Form { action: String::new(), decisions: both.to_vec() },
                Form { action: String::new(), decisions: vec!["x".to_owned()] }
            ]
        );
    }

    #[test]
    fn what_is_escaped_comes_back() {
        let text = r#"<a href="x">'&amp;'</a>"#;
        assert!(!escape(text).contains(['<', '>', '"', '\'']));
        assert_eq!(unescape(&escape(text)), text);
    }
}
