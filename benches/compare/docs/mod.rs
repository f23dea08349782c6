//! Writes the figures down for readers: `docs/benchmarks.md` and the charts beside it.

mod charts;
mod circumstances;
mod page;
mod subjects;
mod summary;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::table::Samples;
pub use circumstances::Circumstances;

/// Figures, and what one must know about how they came about.
#[derive(Serialize, Deserialize)]
pub struct Report {
    pub circumstances: Circumstances,
    #[serde(flatten)]
    pub figures: Samples,
}

#[derive(Args)]
pub struct Options {
    /// What `table --json` has written
    from: PathBuf,
    /// The directory that gets benchmarks.md, and the charts in benchmarks/
    #[arg(long, default_value = "docs")]
    to: PathBuf,
}

/// Writes the page and the charts from figures that were kept.
pub fn run(options: &Options) -> Result<()> {
    let path = &options.from;
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let report: Report =
        serde_json::from_str(&text).with_context(|| format!("no figures: {}", path.display()))?;
    report.write_page(&options.to)
}

impl Report {
    /// Writes the figures themselves.
    pub fn write_json(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(path, text).with_context(|| path.display().to_string())
    }

    /// Writes the page, and its charts and figures into a directory beside it.
    pub fn write_page(&self, directory: &Path) -> Result<()> {
        let beside = directory.join("benchmarks");
        fs::create_dir_all(&beside).with_context(|| beside.display().to_string())?;
        let charts = charts::write(&self.figures, &beside)?;
        self.write_json(&beside.join("figures.json"))?;
        let page = directory.join("benchmarks.md");
        fs::write(&page, page::text(self, &charts)).with_context(|| page.display().to_string())
    }
}
