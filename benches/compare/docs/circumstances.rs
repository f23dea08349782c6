//! Where and when figures were taken, and of what.

use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use procfs::{CpuInfo, Current, LoadAverage, Meminfo};
use serde::{Deserialize, Serialize};

/// The crates whose versions matter.
const CRATES: &[&str] =
    &["async-wheel", "async-io", "polling", "tokio", "tokio-util", "mio", "async-executor"];

/// Those of the package `peers`, which has a lock file of its own.
const FURTHER: &[&str] = &["monoio", "compio", "glommio", "pingora-timeout", "futures-timer"];

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Circumstances {
    pub date: String,
    pub commit: String,
    pub processor: String,
    pub processors: usize,
    pub memory_gib: f64,
    pub system: String,
    pub rustc: String,
    /// Names and versions.
    pub crates: Vec<(String, String)>,
    /// How many processes wanted to run in the minute before: none, if the machine was free.
    pub load_before: f32,
    pub runs: usize,
    pub minutes: f64,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
}

impl Circumstances {
    /// Before the runs.
    pub fn now(runs: usize) -> Result<Circumstances> {
        let processors = CpuInfo::current()?;
        Ok(Circumstances {
            date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            commit: commit(),
            processor: processors.model_name(0).unwrap_or("unknown").to_owned(),
            processors: processors.num_cores(),
            memory_gib: Meminfo::current()?.mem_total as f64 / f64::from(1 << 30),
            system: system()?,
            rustc: rustc_version_runtime::version().to_string(),
            crates: versions()?,
            load_before: LoadAverage::current()?.one,
            runs,
            minutes: 0.0,
        })
    }

    /// After the runs.
    pub fn took(&mut self, time: Duration) {
        self.minutes = time.as_secs_f64() / 60.0;
    }
}

/// Of the checkout that this is run in, as far as git tells.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
    let suffix = match changed {
        Some(changed) if !changed.is_empty() => ", with changes",
        _ => "",
    };
    git(&["rev-parse", "--short=12", "HEAD"])
        .map_or_else(|| "unknown".to_owned(), |commit| commit + suffix)
}

fn system() -> Result<String> {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let kernel = procfs::sys::kernel::Version::current()?;
    let name = name.unwrap_or("unknown").trim_matches('"');
    Ok(format!("{name}, Linux {}.{}.{}", kernel.major, kernel.minor, kernel.patch))
}

/// From the lock files that this and the package `peers` are built with.
fn versions() -> Result<Vec<(String, String)>> {
    let mut versions = Vec::new();
    for (lock, names) in [
        (include_str!("../../../Cargo.lock"), CRATES),
        (include_str!("../../peers/Cargo.lock"), FURTHER),
    ] {
        let lock: Lock = toml::from_str(lock).context("Cargo.lock")?;
        versions.extend(names.iter().filter_map(|name| {
            // Of several the newest, which is tokio's of `mio`.
            let package = lock.package.iter().rfind(|package| package.name == **name)?;
            Some((package.name.clone(), package.version.clone()))
        }));
    }
    Ok(versions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_that_matters_has_a_version() {
        assert_eq!(versions().unwrap().len(), CRATES.len() + FURTHER.len());
    }

    #[test]
    fn a_machine_can_be_described() {
        let circumstances = Circumstances::now(5).unwrap();
        assert!(circumstances.processors > 0 && circumstances.memory_gib > 0.0);
        assert!(circumstances.system.contains("Linux"), "{circumstances:?}");
    }
}
