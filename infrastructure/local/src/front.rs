//! The laptop's own web server: an index page, the mailbox, and the API under an address known before it is deployed.

use std::{
    fmt::Write as _,
    net::Ipv4Addr,
    sync::{Arc, OnceLock},
};

use anyhow::{Context, Result};
use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::{any, get},
};
use tokio::{net::TcpListener, runtime::Runtime};

use crate::{
    bridges,
    html::escape,
    mailbox::{self, Mail, Store},
    smtp,
    world::Deployment,
};

/// What the pages show.
#[derive(Debug, Default)]
pub struct Shown {
    /// The mails.
    pub mails: Store,
    /// Where API Gateway serves the API, once it is deployed.
    pub api: OnceLock<String>,
    /// The whole world, once it is up.
    pub deployment: OnceLock<Deployment>,
}

/// The running servers for HTTP and SMTP. They have a runtime of their own: a world may be shared by tests whose
/// runtimes come and go.
#[derive(Debug)]
pub struct Front {
    /// `http://127.0.0.1:<port>`.
    pub url: String,
    /// `127.0.0.1:<port>`.
    pub smtp: String,
    /// What the pages show.
    pub shown: Arc<Shown>,
    runtime: Option<Runtime>,
}

impl Front {
    /// Starts both servers; port 0 means any that is free.
    ///
    /// # Errors
    /// When a port is taken.
    pub fn start(http_port: u16, smtp_port: u16) -> Result<Self> {
        let http = listen(http_port)?;
        let smtp = listen(smtp_port)?;
        let url = format!("http://{}", http.local_addr()?);
        let smtp_address = smtp.local_addr()?.to_string();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let shown = Arc::new(Shown::default());

        let kept = shown.mails.clone();
        runtime.spawn(async move {
            if let Ok(listener) = TcpListener::from_std(smtp) {
                smtp::serve(listener, Arc::new(move |mail| kept.keep(mail))).await;
            }
        });
        let routes = routes(Arc::clone(&shown));
        runtime.spawn(async move {
            if let Ok(listener) = TcpListener::from_std(http) {
                // Serves until the runtime is shut down; accepting never fails for good.
                let _ = axum::serve(listener, routes).await;
            }
        });
        Ok(Self { url, smtp: smtp_address, shown, runtime: Some(runtime) })
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn listen(port: u16) -> Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("port {port} of 127.0.0.1 is taken: choose another with --ports BASE"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn routes(shown: Arc<Shown>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/mail", get(mail_list))
        .route("/mail/api/messages", get(async |State(shown): Shared| Json(shown.mails.list())))
        .route("/mail/{id}", get(mail_page))
        .route("/mail/{id}/html", get(mail_html))
        .route("/mail/{id}/source", get(mail_source))
        .route("/mail/{id}/parts/{index}", get(mail_part))
        .route("/api", any(api))
        .route("/api/{*path}", any(api))
        .with_state(shown)
}

type Shared = State<Arc<Shown>>;

async fn api(State(shown): Shared, request: Request) -> Response {
    match shown.api.get() {
        Some(target) => bridges::forward(target, "/api", request).await,
        None => (StatusCode::SERVICE_UNAVAILABLE, "the stack is not deployed yet").into_response(),
    }
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}\
    table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.4rem .8rem;border-bottom:1px solid #d8dee4;vertical-align:top}\
    code,pre{font:14px/1.5 ui-monospace,monospace;overflow-wrap:anywhere;white-space:pre-wrap}a{color:#0b57d0}\
    iframe{width:100%;height:40rem;border:1px solid #d8dee4;border-radius:6px;background:#fff}summary{cursor:pointer;margin:1rem 0}";

fn page(title: &str, body: &str) -> Html<String> {
    Html(format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>{0}</title><style>{STYLE}</style><h1>{0}</h1>{body}</html>",
        escape(title)
    ))
}

async fn index(State(shown): Shared) -> Html<String> {
    let Some(world) = shown.deployment.get() else {
        return page("Slipstream on this laptop", "<p>Starting. <a href=/>Look again</a>.</p>");
    };
    let mut rows = String::new();
    let addresses = [
        ("API", world.api_url.as_str()),
        ("AWS endpoint (emulator)", &world.account.endpoint),
        ("Receipt reader", &world.reader_url),
        ("User pool client", world.outputs.get("UserPoolClientId").map_or("-", String::as_str)),
    ];
    for (name, address) in addresses {
        let _ = write!(rows, "<tr><th>{name}<td><code>{}</code>", escape(address));
    }
    let mut people = String::new();
    for person in &world.people {
        let _ = write!(
            people,
            "<tr><th>{}<td>{}<td><code>{}</code>",
            person.role,
            escape(&person.name),
            escape(&person.email)
        );
    }
    page(
        "Slipstream on this laptop",
        &format!(
            "<p><a href=/mail>Mailbox ({})</a></p><table>{rows}</table><h2>Sign in</h2>\
             <p>The password of everyone here: <code>{}</code></p><table>{people}</table>\
             <p>Each start is a fresh world: nothing is kept when it stops.</p>",
            shown.mails.list().len(),
            escape(&world.password)
        ),
    )
}

async fn mail_list(State(shown): Shared) -> Html<String> {
    let mut rows = String::new();
    for mail in shown.mails.list().iter().rev() {
        let _ = write!(
            rows,
            "<tr><td>{}<td>{}<td><a href=/mail/{}>{}</a>",
            mail.date.strftime("%H:%M:%S"),
            escape(&mail.to.join(", ")),
            mail.id,
            escape(if mail.subject.is_empty() { "(no subject)" } else { &mail.subject })
        );
    }
    let body = if rows.is_empty() {
        "<p>No mail yet. <a href=/mail>Look again</a>.</p>".to_owned()
    } else {
        format!("<table><tr><th>UTC<th>To<th>Subject{rows}</table>")
    };
    page("Mailbox", &format!("<p><a href=/>Home</a></p>{body}"))
}

async fn mail_page(State(shown): Shared, Path(id): Path<usize>) -> Response {
    let Some((mail, _)) = shown.mails.get(id) else {
        return not_found();
    };
    let mut headers = String::new();
    for (name, value) in &mail.headers {
        let _ = write!(headers, "<tr><th>{}<td><code>{}</code>", escape(name), escape(value));
    }
    let mut parts = String::new();
    for (index, part) in mail.attachments.iter().enumerate() {
        let name = part.name.as_deref().or(part.content_id.as_deref()).unwrap_or("unnamed");
        let _ = write!(
            parts,
            "<li><a href=/mail/{id}/parts/{index}>{}</a> ({}, {} bytes)",
            escape(name),
            escape(&part.content_type),
            part.size_bytes
        );
    }
    // Opened apart from this page, without scripts; its links lead to a new tab.
    let shown_html = mail.html.as_ref().map_or(String::new(), |_| {
        format!("<iframe sandbox=\"allow-popups allow-popups-to-escape-sandbox allow-forms\" src=/mail/{id}/html title=Mail></iframe>")
    });
    let text = mail.text.as_ref().map_or(String::new(), |text| {
        let open = if mail.html.is_none() { " open" } else { "" };
        format!("<details{open}><summary>Text</summary><pre>{}</pre></details>", escape(text))
    });
    let body = format!(
        "<p><a href=/mail>Mailbox</a> · from {} to {}</p>{shown_html}{text}<ul>{parts}</ul>\
         <details><summary>Headers</summary><table>{headers}</table></details><p><a href=/mail/{id}/source>Source</a></p>",
        escape(&mail.from),
        escape(&mail.to.join(", "))
    );
    page(if mail.subject.is_empty() { "(no subject)" } else { &mail.subject }, &body).into_response()
}

async fn mail_html(State(shown): Shared, Path(id): Path<usize>) -> Response {
    let Some((mail, _)) = shown.mails.get(id) else {
        return not_found();
    };
    let policy = "default-src 'none'; img-src * data:; style-src 'unsafe-inline'";
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(with_images(&mail))).into_response()
}

/// The HTML of a mail with its inline images under addresses of ours.
fn with_images(mail: &Mail) -> String {
    let mut html = mail.html.clone().unwrap_or_default();
    for (index, part) in mail.attachments.iter().enumerate() {
        if let Some(content_id) = &part.content_id {
            html = html.replace(&format!("cid:{content_id}"), &format!("/mail/{}/parts/{index}", mail.id));
        }
    }
    // Links open a new tab; before a doctype the tag would switch the browser to its quirks.
    let head = html.find("<head>").map_or(0, |start| start + "<head>".len());
    html.insert_str(head, "<base target=_blank>");
    html
}

async fn mail_source(State(shown): Shared, Path(id): Path<usize>) -> Response {
    let Some((_, source)) = shown.mails.get(id) else {
        return not_found();
    };
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")], source)
        .into_response()
}

async fn mail_part(State(shown): Shared, Path((id, index)): Path<(usize, usize)>) -> Response {
    let part = shown.mails.get(id).and_then(|(_, source)| mailbox::attachment(&source, index));
    let Some((content_type, bytes)) = part else {
        return not_found();
    };
    // Whatever it claims to be, it is not to run here.
    let mut response = Response::new(Body::from(bytes));
    let headers: &mut HeaderMap = response.headers_mut();
    if let Ok(content_type) = content_type.parse() {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, header::HeaderValue::from_static("sandbox; default-src 'none'"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    response
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "no such mail").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{aws::http, smtp::Delivery};

    #[tokio::test]
    async fn the_mailbox_shows_what_came_in_and_runs_none_of_it() {
        let front = Front::start(0, 0).unwrap();
        let message = b"Subject: <script>alert(1)</script>\r\nContent-Type: text/html\r\n\r\n<p>hi".to_vec();
        front.shown.mails.keep(Delivery {
            from: "a@example.com".to_owned(),
            to: vec!["b@example.com".to_owned()],
            message,
        });
        let get = async |path: &str| {
            let answer = http().get(format!("{}{path}", front.url)).send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        };
        let (status, list) = get("/mail").await;
        assert_eq!(status, 200);
        assert!(list.contains("&lt;script&gt;") && !list.contains("<script>"), "{list}");
        assert!(get("/mail/1").await.1.contains("sandbox="));
        assert_eq!(get("/mail/1/html").await.1.trim(), "<base target=_blank><p>hi");
        assert_eq!(get("/mail/2").await.0, 404);
        assert_eq!(get("/api/me").await.0, 503);
    }

    #[test]
    fn a_taken_port_is_named_with_the_remedy() {
        let front = Front::start(0, 0).unwrap();
        let port: u16 = front.url.rsplit(':').next().unwrap().parse().unwrap();
        let error = Front::start(port, 0).unwrap_err();
        assert_eq!(error.to_string(), format!("port {port} of 127.0.0.1 is taken: choose another with --ports BASE"));
    }
}
