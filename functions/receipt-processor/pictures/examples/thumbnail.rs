//! Thumbnails for measuring: one for each process, or many in a loop with the times of each.
//!
//! `thumbnail FILE SIDE OUT` writes one; `thumbnail FILE SIDE --loop N` prints milliseconds, one a line;
//! `thumbnail FILE --prepare N` prints those of all that is made of an upload. The last line is the peak of resident
//! memory, `VmHWM`, where the system tells it.

use std::{env, error::Error, fs, time::Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let fault = |reason: slipstream_events::FailureReason| reason.as_str();
    match arguments[..] {
        [file, side, "--loop", count] => {
            let (bytes, side) = (fs::read(file)?, side.parse()?);
            for _ in 0..count.parse()? {
                let start = Instant::now();
                slipstream_pictures::thumbnail(&bytes, side).map_err(fault)?;
                println!("{:.3}", start.elapsed().as_secs_f64() * 1000.0);
            }
        }
        [file, "--prepare", count] => {
            let bytes = fs::read(file)?;
            for _ in 0..count.parse()? {
                let start = Instant::now();
                slipstream_pictures::prepare(&bytes).map_err(fault)?;
                println!("{:.3}", start.elapsed().as_secs_f64() * 1000.0);
            }
        }
        [file, side, out] => {
            fs::write(out, slipstream_pictures::thumbnail(&fs::read(file)?, side.parse()?).map_err(fault)?)?;
        }
        _ => return Err("FILE SIDE OUT | FILE SIDE --loop N | FILE --prepare N".into()),
    }
    if let Ok(status) = fs::read_to_string("/proc/self/status")
        && let Some(peak) = status.lines().find(|line| line.starts_with("VmHWM:"))
    {
        println!("{peak}");
    }
    Ok(())
}
