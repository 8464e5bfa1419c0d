//! Where a profile keeps its settings and its tokens.
//!
//! `<config>/slip/<profile>/settings.json` says which service it is; `tokens.json` beside it, readable by its owner only,
//! holds what signing in gave. Tokens are bound to the service they were given for: pointed at another one, `slip` does
//! not send them.

use std::{
    env, fmt, fs,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    failure::{Failure, Outcome},
    http::check_address,
};

/// Which service, and who signs in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// The API, without a slash at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) api_url: Option<String>,
    /// The user pool, such as `eu-central-1_Abc123XYZ`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user_pool_id: Option<String>,
    /// The user pool's client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_id: Option<String>,
    /// Cognito, where it is not that of the pool's region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cognito_url: Option<String>,
    /// Who signed in last: a suggestion for the next time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<String>,
}

impl Settings {
    /// These, and the others where these say nothing.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            api_url: self.api_url.or(other.api_url),
            user_pool_id: self.user_pool_id.or(other.user_pool_id),
            client_id: self.client_id.or(other.client_id),
            cognito_url: self.cognito_url.or(other.cognito_url),
            email: self.email.or(other.email),
        }
    }

    /// What the environment says: `SLIP_API_URL`, `SLIP_USER_POOL_ID`, `SLIP_CLIENT_ID`, `SLIP_COGNITO_URL`.
    pub(crate) fn of_environment() -> Self {
        let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            api_url: variable("SLIP_API_URL"),
            user_pool_id: variable("SLIP_USER_POOL_ID"),
            client_id: variable("SLIP_CLIENT_ID"),
            cognito_url: variable("SLIP_COGNITO_URL"),
            email: None,
        }
    }

    /// The service, once everything is known of it.
    ///
    /// # Errors
    /// Names all that is missing, with the option and the variable that give it.
    pub(crate) fn service(&self) -> Outcome<Service> {
        let given = |value: &Option<String>, option: &str, variable: &str, missing: &mut Vec<String>| {
            if value.is_none() {
                missing.push(format!("  {option} or {variable}"));
            }
            value.clone().unwrap_or_default()
        };
        let mut missing = Vec::new();
        let api_url = given(&self.api_url, "--api-url", "SLIP_API_URL", &mut missing);
        let user_pool_id = given(&self.user_pool_id, "--user-pool-id", "SLIP_USER_POOL_ID", &mut missing);
        let client_id = given(&self.client_id, "--client-id", "SLIP_CLIENT_ID", &mut missing);
        if !missing.is_empty() {
            return Err(Failure::usage(format!(
                "which service is not known yet; set it once with `slip configure`:\n{}\nThey are outputs of the stack \
                 (ApiUrl, UserPoolId, UserPoolClientId).",
                missing.join("\n")
            )));
        }
        check_address("--api-url", &api_url)?;
        let Some((region, pool)) =
            user_pool_id.split_once('_').filter(|(region, pool)| is_word(region) && is_word(pool))
        else {
            return Err(Failure::usage(format!(
                "--user-pool-id: `{user_pool_id}` is no user pool's id; one looks like eu-central-1_Abc123XYZ"
            )));
        };
        let cognito_url = match &self.cognito_url {
            Some(url) => url.clone(),
            None => format!("https://cognito-idp.{region}.amazonaws.com/"),
        };
        check_address("--cognito-url", &cognito_url)?;
        let pool = pool.to_owned();
        Ok(Service { api_url: api_url.trim_end_matches('/').to_owned(), pool, client_id, cognito_url })
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// A deployment, complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Service {
    /// The API, without a slash at the end.
    pub(crate) api_url: String,
    /// The part of the user pool's id behind the underscore.
    pub(crate) pool: String,
    /// The user pool's client.
    pub(crate) client_id: String,
    /// Cognito.
    pub(crate) cognito_url: String,
}

/// What signing in gave.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Tokens {
    /// Only this API gets them.
    pub(crate) api_url: String,
    /// The client they were given to.
    pub(crate) client_id: String,
    /// For the API; holds for an hour.
    pub(crate) id_token: String,
    /// For new ID tokens; holds for 30 days.
    pub(crate) refresh_token: String,
    /// When the ID token ends.
    pub(crate) expires_at: Timestamp,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// A profile's folder.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    folder: PathBuf,
    name: String,
}

impl Profile {
    /// The profile of this name in the folder for settings of this platform (`$XDG_CONFIG_HOME`, else `~/.config`).
    ///
    /// # Errors
    /// When the name is none, or there is no home.
    pub(crate) fn named(name: &str) -> Outcome<Self> {
        if name.len() > 64 || !is_word(&name.replace('_', "-")) {
            return Err(Failure::usage(format!("--profile: `{name}` has others than letters, digits, `-` and `_`")));
        }
        let base = etcetera::choose_base_strategy()
            .map_err(|_| Failure::failed("there is no home folder to keep settings in: set HOME or XDG_CONFIG_HOME"))?;
        Ok(Self { folder: base.config_dir().join("slip").join(name), name: name.to_owned() })
    }

    #[cfg(test)]
    fn at(folder: &Path) -> Self {
        Self { folder: folder.join("slip/default"), name: "default".to_owned() }
    }

    /// How one signs in to it.
    pub(crate) fn login(&self) -> String {
        format!("slip login{}", self.option())
    }

    /// How one types this profile: nothing for the default.
    pub(crate) fn option(&self) -> String {
        if self.name == "default" { String::new() } else { format!(" --profile {}", self.name) }
    }

    /// Where the settings are.
    pub(crate) fn settings_path(&self) -> PathBuf {
        self.folder.join("settings.json")
    }

    fn tokens_path(&self) -> PathBuf {
        self.folder.join("tokens.json")
    }

    /// What was kept, or nothing.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn settings(&self) -> Outcome<Settings> {
        let path = self.settings_path();
        let damaged = || Failure::failed(format!("{} is damaged: remove it, then slip configure", path.display()));
        Ok(read(&path, damaged)?.unwrap_or_default())
    }

    /// Keeps settings.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(crate) fn keep_settings(&self, settings: &Settings) -> Outcome {
        self.write(&self.settings_path(), settings)
    }

    /// The tokens, or nothing.
    ///
    /// # Errors
    /// When they cannot be read, or others than the owner could.
    pub(crate) fn tokens(&self) -> Outcome<Option<Tokens>> {
        let path = self.tokens_path();
        if path.exists() {
            check_private(&self.folder, 0o700)?;
            check_private(&path, 0o600)?;
        }
        read(&path, || Failure::not_signed_in(format!("{} is damaged: {}", path.display(), self.login())))
    }

    /// Keeps tokens, readable by their owner only.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(crate) fn keep_tokens(&self, tokens: &Tokens) -> Outcome {
        self.write(&self.tokens_path(), tokens)
    }

    /// Removes the tokens.
    ///
    /// # Errors
    /// When they are there and stay.
    pub(crate) fn forget_tokens(&self) -> Outcome {
        match fs::remove_file(self.tokens_path()) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Failure::failed(format!("cannot remove {}: {error}", self.tokens_path().display())))
            }
            _ => Ok(()),
        }
    }

    /// Replaces the file at once, so that a reader or a crash never meets half of it. A temporary file is its owner's
    /// alone from the beginning.
    fn write(&self, path: &Path, content: &impl Serialize) -> Outcome {
        let work = || -> std::io::Result<()> {
            make_private_folder(&self.folder)?;
            let mut file = tempfile::Builder::new().prefix(".slip-").tempfile_in(&self.folder)?;
            serde_json::to_writer_pretty(&mut file, content)?;
            file.write_all(b"\n")?;
            file.as_file().sync_all()?;
            file.persist(path)?;
            Ok(())
        };
        work().map_err(|error| Failure::failed(format!("cannot write {}: {error}", path.display())))
    }
}

fn read<T: DeserializeOwned>(path: &Path, damaged: impl FnOnce() -> Failure) -> Outcome<Option<T>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::failed(format!("cannot read {}: {error}", path.display()))),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|_| damaged())
}

#[cfg(unix)]
fn make_private_folder(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};

    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn make_private_folder(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(unix)]
fn check_private(path: &Path, mode: u32) -> Outcome {
    use std::os::unix::fs::PermissionsExt;

    let metadata =
        fs::metadata(path).map_err(|error| Failure::failed(format!("cannot read {}: {error}", path.display())))?;
    if metadata.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    Err(Failure::not_signed_in(format!(
        "others on this machine can read or change {path}, so its tokens are not used\n\
         Make it yours alone: chmod {mode:o} '{path}'. If others may have read it: slip logout, then sign in again",
        path = path.display()
    )))
}

#[cfg(not(unix))]
fn check_private(_: &Path, _: u32) -> Outcome {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        Tokens {
            api_url: "https://api.example.com".to_owned(),
            client_id: "client".to_owned(),
            id_token: "secret-id".to_owned(),
            refresh_token: "secret-refresh".to_owned(),
            expires_at: "2026-03-12T10:00:00Z".parse().unwrap(),
        }
    }

    #[cfg(unix)]
    #[test]
    fn tokens_are_their_owners_alone_and_refused_otherwise() {
        use std::os::unix::fs::PermissionsExt;

        let home = tempfile::tempdir().unwrap();
        let profile = Profile::at(home.path());
        assert!(profile.tokens().unwrap().is_none());
        profile.keep_tokens(&tokens()).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&profile.tokens_path()), 0o600);
        assert_eq!(mode(&profile.folder), 0o700);
        assert_eq!(profile.tokens().unwrap().unwrap().id_token, "secret-id");

        for (path, readable, remedy) in
            [(profile.tokens_path(), 0o640, "chmod 600"), (profile.folder.clone(), 0o755, "chmod 700")]
        {
            let before = fs::metadata(&path).unwrap().permissions();
            fs::set_permissions(&path, fs::Permissions::from_mode(readable)).unwrap();
            let failure = profile.tokens().unwrap_err();
            assert!(failure.message.contains(remedy), "{failure}");
            fs::set_permissions(&path, before).unwrap();
        }
        assert!(profile.tokens().unwrap().is_some());

        fs::write(profile.tokens_path(), "{").unwrap();
        let failure = profile.tokens().unwrap_err();
        assert!(
            failure.exit == crate::failure::Exit::NotSignedIn && failure.message.contains("slip login"),
            "{failure}"
        );
        fs::write(profile.settings_path(), "{").unwrap();
        assert!(profile.settings().unwrap_err().message.contains("slip configure"));
        fs::remove_file(profile.settings_path()).unwrap();

        // Written anew, it is private again.
        fs::set_permissions(profile.tokens_path(), fs::Permissions::from_mode(0o666)).unwrap();
        profile.keep_tokens(&tokens()).unwrap();
        assert_eq!(mode(&profile.tokens_path()), 0o600);
        profile.forget_tokens().unwrap();
        profile.forget_tokens().unwrap();
        assert!(profile.tokens().unwrap().is_none());
        assert_eq!(fs::read_dir(&profile.folder).unwrap().count(), 0, "nothing temporary is left");
    }

    #[test]
    fn tokens_are_not_shown() {
        assert!(!format!("{:?}", tokens()).contains("secret"));
    }

    #[test]
    fn names_all_that_is_missing() {
        let failure = Settings::default().service().unwrap_err();
        for name in ["SLIP_API_URL", "--user-pool-id", "SLIP_CLIENT_ID"] {
            assert!(failure.message.contains(name), "{failure}");
        }
    }

    #[test]
    fn cognito_is_that_of_the_pools_region_unless_said() {
        let settings = Settings {
            api_url: Some("https://api.example.com/v1/".to_owned()),
            user_pool_id: Some("eu-central-1_Abc123".to_owned()),
            client_id: Some("client".to_owned()),
            ..Settings::default()
        };
        let service = settings.service().unwrap();
        assert_eq!(service.cognito_url, "https://cognito-idp.eu-central-1.amazonaws.com/");
        assert_eq!((service.pool.as_str(), service.api_url.as_str()), ("Abc123", "https://api.example.com/v1"));
        let local = Settings { cognito_url: Some("http://127.0.0.1:4566".to_owned()), ..settings.clone() };
        assert_eq!(local.service().unwrap().cognito_url, "http://127.0.0.1:4566");
        for wrong in ["eu-central-1", "_x", "evil.example.com/_x"] {
            let settings = Settings { user_pool_id: Some(wrong.to_owned()), ..settings.clone() };
            assert!(settings.service().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_profile_stays_in_its_folder() {
        for wrong in ["", "../other", "a/b", "."] {
            assert!(Profile::named(wrong).is_err(), "{wrong}");
        }
        assert!(Profile::named("laptop_2").is_ok());
    }
}
