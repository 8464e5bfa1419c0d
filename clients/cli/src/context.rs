//! What every command needs: the output, the profile, the API.

use serde_json::Value;

use crate::{
    api::{Api, Call},
    failure::{Exit, Failure, Outcome},
    http::Answer,
    output::Out,
    profile::{Profile, Service, Settings},
};

/// One run of the program.
pub(crate) struct Slip {
    /// Where answers go.
    pub(crate) out: Out,
    /// Whose settings and tokens.
    pub(crate) profile: Profile,
}

impl Slip {
    /// For a profile.
    ///
    /// # Errors
    /// When its name is none.
    pub(crate) fn new(profile: &str, out: Out) -> Outcome<Self> {
        Ok(Self { out, profile: Profile::named(profile)? })
    }

    /// The settings that count: the environment's before the profile's.
    ///
    /// # Errors
    /// When the profile cannot be read.
    pub(crate) fn settings(&self) -> Outcome<Settings> {
        Ok(Settings::of_environment().or(self.profile.settings()?))
    }

    /// The service.
    ///
    /// # Errors
    /// When it is not known yet.
    pub(crate) fn service(&self) -> Outcome<Service> {
        self.settings()?.service()
    }

    /// The API, signed in.
    ///
    /// # Errors
    /// When the service is not known or nobody is signed in.
    pub(crate) fn api(&self) -> Outcome<Api> {
        Api::open(self.profile.clone(), self.service()?)
    }

    /// Makes one call and shows its answer.
    ///
    /// # Errors
    /// What the call says.
    pub(crate) async fn show(&self, call: Call, view: impl FnOnce(&Value) -> String) -> Outcome {
        let answer = self.api()?.send(call).await?;
        self.shown(&answer, view)
    }

    /// Shows an answer.
    ///
    /// # Errors
    /// When it is no JSON.
    pub(crate) fn shown(&self, answer: &Answer, view: impl FnOnce(&Value) -> String) -> Outcome {
        let value = crate::api::parse(answer)?;
        self.out.answer(answer, || view(&value));
        Ok(())
    }

    /// Does the same for several things and goes on after a failure; each failure is told with the name of the thing.
    ///
    /// # Errors
    /// With the exit code of the first failure.
    pub(crate) async fn for_each<T: ToString>(&self, things: &[T], work: impl AsyncFn(&T) -> Outcome) -> Outcome {
        let mut first = None;
        for thing in things {
            if let Err(failure) = work(thing).await {
                // What one could not do for want of a sign-in or a service, one cannot do for the others.
                if matches!(failure.exit, Exit::NotSignedIn | Exit::Unavailable) {
                    return Err(failure);
                }
                self.out.failure(Some(&thing.to_string()), &failure);
                first.get_or_insert(failure.exit);
            }
        }
        first.map_or(Ok(()), |exit| Err(Failure::new(exit, "")))
    }

    /// Reads a list page by page: one page, or all. For people it goes on until there is something to show, since a page
    /// may be short.
    ///
    /// # Errors
    /// What the calls say.
    pub(crate) async fn list(
        &self,
        call: Call,
        member: &str,
        paging: &Paging,
        view: impl Fn(&[Value]) -> String,
        empty: &str,
    ) -> Outcome {
        let api = self.api()?;
        let wanted = usize::from(paging.limit.unwrap_or(25));
        let mut cursor = paging.cursor.clone();
        let mut found: Vec<Value> = Vec::new();
        let mut pages = 0;
        let mut any = false;
        loop {
            let limit = paging.limit.or(paging.all.then_some(MOST_PER_PAGE));
            let call = call.clone().query("limit", limit).query("cursor", cursor.as_ref());
            let answer = api.send(call).await?;
            let page = crate::api::parse(&answer)?;
            self.out.json_text(&answer.body);
            found.extend(page[member].as_array().cloned().unwrap_or_default());
            any |= !found.is_empty();
            cursor = page["next_cursor"].as_str().map(ToOwned::to_owned);
            pages += 1;
            let enough = !paging.all && (self.out.json || found.len() >= wanted || pages == MOST_PAGES);
            if cursor.is_none() || enough {
                break;
            }
            if self.out.closed().is_some() {
                return Ok(());
            }
            if paging.all && !found.is_empty() {
                self.out.text(&view(&found));
                found.clear();
            }
        }
        if !found.is_empty() {
            self.out.text(&view(&found));
        } else if !any && cursor.is_none() {
            self.out.text(empty);
        }
        if let Some(cursor) = cursor.filter(|_| !self.out.json) {
            self.out.note(&format!("There is more: --all, or --cursor {cursor}"));
        }
        Ok(())
    }
}

/// The most that one page holds.
const MOST_PER_PAGE: u8 = 100;
/// How many pages are read at most before asking whether to go on.
const MOST_PAGES: u32 = 10;

/// How much of a list.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Paging {
    /// How many per page, 1 to 100 (25 without it; 100 with --all)
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) limit: Option<u8>,
    /// Goes on where a page ended: its next_cursor
    #[arg(long)]
    pub(crate) cursor: Option<String>,
    /// Every page, to the end
    #[arg(long)]
    pub(crate) all: bool,
}
