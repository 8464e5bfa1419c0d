//! Starting the AWS emulator and the receipt reader.

use std::{ffi::OsString, fs, path::Path, time::Duration};

use anyhow::{Context, Result, bail};

use crate::{
    aws::{Account, REGION},
    bridges,
    process::{self, Service, ServiceSpec},
    python::Python,
    wait,
};

/// What the emulator must know of its surroundings.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// The port it is to serve.
    pub port: u16,
    /// The world's folder.
    pub run_dir: &'a Path,
    /// Where functions send pictures to be read.
    pub reader_url: &'a str,
    /// Where it relays mail to.
    pub smtp: &'a str,
    /// Further variables for it and, through it, for every function.
    pub environment: &'a [(String, String)],
}

/// Starts the emulator; [`Account::ready`] waits for it.
///
/// # Errors
/// When it cannot be started.
pub fn start(account: &Account, python: &Python, surroundings: &Surroundings<'_>) -> Result<Service> {
    let run_dir = surroundings.run_dir;
    let folder = |name: &str| -> Result<OsString> {
        let path = run_dir.join(name);
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(path.into_os_string())
    };
    let mut environment = base_environment(&python.venv.join("bin"), run_dir)?;
    environment.extend(account.environment().into_iter().map(|(name, value)| (name.to_owned(), value)));
    let settings: [(&str, OsString); 13] = [
        ("GATEWAY_PORT", surroundings.port.to_string().into()),
        ("BIND_HOST", "127.0.0.1".into()),
        // Without it nothing checks permissions, and a missing one would first be missed on AWS.
        ("AUTH", "true".into()),
        // It would open port 8883 on all addresses.
        ("IOT_MTLS_ENABLED", "0".into()),
        ("SFTP_ENABLED", "0".into()),
        ("MINISTACK_REGION", REGION.into()),
        ("SMTP_HOST", surroundings.smtp.into()),
        // Functions inherit the emulator's environment; the SDKs know this variable.
        ("AWS_ENDPOINT_URL_TEXTRACT", surroundings.reader_url.into()),
        ("TMPDIR", folder("tmp")?),
        ("STATE_DIR", folder("state")?),
        ("S3_DATA_DIR", folder("s3")?),
        ("PYTHONUNBUFFERED", "1".into()),
        ("PYTHONDONTWRITEBYTECODE", "1".into()),
    ];
    environment.extend(settings.map(|(name, value)| (name.to_owned(), value)));
    environment.extend(surroundings.environment.iter().map(|(name, value)| (name.clone(), value.into())));
    let program = run_dir.join("emulator.py");
    fs::write(&program, bridges::EMULATOR).with_context(|| format!("cannot write {}", program.display()))?;
    let python = python.program("python");
    Service::start(ServiceSpec {
        name: "the AWS emulator",
        command: process::arguments([python.as_os_str(), program.as_os_str()]),
        environment,
        directory: run_dir,
        log: run_dir.join("emulator.log"),
    })
}

/// Starts the reader.
///
/// # Errors
/// When it cannot be started.
pub fn start_reader(reader: &Path, models: &Path, port: u16, run_dir: &Path) -> Result<Service> {
    let folder = reader.parent().context("the reader has no folder")?;
    let mut environment = base_environment(folder, run_dir)?;
    // Large buffers come and go with each picture: glibc is to give them back instead of keeping some in every arena.
    let allocator = [("MALLOC_ARENA_MAX", "2"), ("MALLOC_MMAP_THRESHOLD_", "4194304")];
    environment.extend(allocator.map(|(name, value)| (name.to_owned(), value.into())));
    Service::start(ServiceSpec {
        name: "the reader",
        command: process::arguments([
            reader.as_os_str(),
            "--port".as_ref(),
            port.to_string().as_ref(),
            "--models".as_ref(),
            models.as_os_str(),
        ]),
        environment,
        directory: run_dir,
        log: run_dir.join("reader.log"),
    })
}

/// Waits until the reader listens.
///
/// # Errors
/// When it stops, or after a minute.
pub async fn reader_ready(reader: &mut Service, port: u16) -> Result<()> {
    wait::until("the reader", Duration::from_secs(60), async || {
        reader.check()?;
        let connected = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
        Ok(connected.is_ok().then_some(()))
    })
    .await
}

/// What every service inherits of ours: enough to run, nothing of the user's settings for AWS, Python or proxies.
fn base_environment(programs: &Path, home: &Path) -> Result<Vec<(String, OsString)>> {
    let mut environment = vec![
        ("PATH".to_owned(), process::path_with(programs)?),
        ("HOME".to_owned(), home.as_os_str().to_owned()),
        ("LANG".to_owned(), "C.UTF-8".into()),
    ];
    for name in ["LD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "RUST_BACKTRACE"] {
        environment.extend(std::env::var_os(name).map(|value| (name.to_owned(), value)));
    }
    Ok(environment)
}

/// The ports of a world.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// Pages, mailbox and API.
    pub front: u16,
    /// The AWS endpoint.
    pub emulator: u16,
    /// The reader.
    pub reader: u16,
    /// The mail server.
    pub smtp: u16,
}

impl Ports {
    /// Four ports from `base` on, or any that are free.
    ///
    /// # Errors
    /// When one of the four is taken.
    pub fn choose(base: Option<u16>) -> Result<Self> {
        let Some(base) = base else {
            // The two servers in this process take port 0 themselves.
            return Ok(Self { front: 0, emulator: process::free_port()?, reader: process::free_port()?, smtp: 0 });
        };
        let mut ports = [0; 4];
        for (port, offset) in ports.iter_mut().zip(0..) {
            *port = base.checked_add(offset).with_context(|| format!("--ports {base} is too high"))?;
            if std::net::TcpListener::bind(("127.0.0.1", *port)).is_err() {
                bail!(
                    "port {port} of 127.0.0.1 is taken: choose another with --ports BASE (four ports from BASE on are used)"
                );
            }
        }
        let [front, emulator, reader, smtp] = ports;
        Ok(Self { front, emulator, reader, smtp })
    }
}
