//! What the programs are asked to do, and by how much.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use clap::Parser;
use clap::error::ErrorKind;

use crate::runner::{Model, refuse};

/// Explores the models of async-wheel's protocols between threads.
///
/// Of a model that fails it prints the property that does not hold, the steps of the execution
/// that failed, and the command that runs this execution again. Ends with 1 if a model failed,
/// with 2 if it cannot do what it is asked.
#[derive(Debug, Parser)]
#[command(bin_name = "run.sh", max_term_width = 98)]
pub(crate) struct Options {
    /// Parts of names: the models whose names contain one of them; without any, all
    words: Vec<String>,
    /// Prints the names of the models
    #[arg(long)]
    list: bool,
    /// Runs the execution again that is in a file which a failure has left
    #[arg(long, value_name = "FILE", conflicts_with_all = ["words", "list"])]
    replay: Option<PathBuf>,
    /// Models explored side by side; by default one a processor
    #[arg(long, value_name = "N", env = "LOOM_JOBS", value_parser = number::<1>)]
    jobs: Option<u64>,
    /// Explores so many preemptions in each model, instead of its own default
    #[arg(long, value_name = "N", env = "LOOM_MAX_PREEMPTIONS", value_parser = small)]
    preemptions: Option<u8>,
    /// Explores so many preemptions more: 1 is the deeper setting, for chosen models
    #[arg(long, value_name = "N", env = "LOOM_MORE_PREEMPTIONS", value_parser = small)]
    more_preemptions: Option<u8>,
    /// Gives each model so many seconds; one that needs more counts as failed
    #[arg(long, value_name = "SECONDS", env = "LOOM_KILL_AFTER", value_parser = number::<1>)]
    kill_after: Option<u64>,
    /// Starts no further model when one has failed
    #[arg(long, env = "LOOM_STOP_AT_FAILURE", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) stop_at_failure: bool,
    /// Leaves out the models that another program has
    #[arg(long, hide = true)]
    pub(crate) own: bool,
    #[arg(long, hide = true, requires = "file", conflicts_with = "words")]
    one: Option<String>,
    #[arg(long, hide = true)]
    file: Option<PathBuf>,
    #[arg(long, hide = true, value_parser = number::<1>)]
    pin: Option<u64>,
}

/// What is to be done.
pub(crate) enum Task {
    List,
    Replay(PathBuf),
    /// Explore one model in this process; `pin`: go to that execution.
    One {
        name: String,
        file: PathBuf,
        pin: Option<usize>,
    },
    Run(Vec<String>),
}

fn number<const LEAST: u64>(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| (LEAST..=1_000_000_000).contains(number));
    number.ok_or_else(|| format!("not a whole number from {LEAST} to 1000000000"))
}

fn small(text: &str) -> Result<u8, String> {
    text.parse().ok().filter(|&number| number < 100).ok_or("not a whole number below 100".into())
}

/// Options that may come from the environment, and loom's own variables.
const VARIABLES: [(&str, &str); 5] = [
    ("--jobs <N>", "LOOM_JOBS"),
    ("--preemptions <N>", "LOOM_MAX_PREEMPTIONS"),
    ("--more-preemptions <N>", "LOOM_MORE_PREEMPTIONS"),
    ("--kill-after <SECONDS>", "LOOM_KILL_AFTER"),
    ("--stop-at-failure", "LOOM_STOP_AT_FAILURE"),
];
const LOOMS: [&str; 4] =
    ["LOOM_MAX_DURATION", "LOOM_MAX_BRANCHES", "LOOM_MAX_PERMUTATIONS", "LOOM_CHECKPOINT_INTERVAL"];

impl Options {
    /// Reads the arguments and the environment. What is wrong with them is said already.
    pub(crate) fn read() -> Result<(Options, Task), ExitCode> {
        let mut options = Options::try_parse().map_err(|error| {
            if matches!(error.kind(), ErrorKind::DisplayHelp) {
                let _ = error.print();
                return ExitCode::SUCCESS;
            }
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            refuse(&name_variable(line))
        })?;
        for name in LOOMS {
            if let Some(value) = std::env::var_os(name) {
                if value.to_str().is_none_or(|value| number::<1>(value).is_err()) {
                    return Err(refuse(&format!("{name}: not a whole number from 1: {value:?}")));
                }
            }
        }
        let task = match (options.one.take(), options.replay.take()) {
            (Some(name), _) => Task::One {
                name,
                file: options.file.take().unwrap_or_default(),
                pin: options.pin.map(|pin| pin as usize),
            },
            (_, Some(file)) => Task::Replay(file),
            _ if options.list => Task::List,
            _ => Task::Run(std::mem::take(&mut options.words)),
        };
        Ok((options, task))
    }

    /// The preemptions that are explored.
    pub(crate) fn bound(&self, model: &Model) -> u8 {
        self.preemptions.unwrap_or(model.preemptions) + self.more_preemptions.unwrap_or(0)
    }

    pub(crate) fn jobs(&self) -> u64 {
        let processors = || std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
        self.jobs.unwrap_or_else(processors)
    }

    pub(crate) fn kill_after(&self) -> Option<Duration> {
        self.kill_after.map(Duration::from_secs)
    }

    /// Gives a child what it has to know of these.
    pub(crate) fn pass_on(&self, command: &mut Command) {
        let numbers =
            [("--preemptions", self.preemptions), ("--more-preemptions", self.more_preemptions)];
        for (name, value) in numbers {
            if let Some(value) = value {
                command.args([name, &value.to_string()]);
            }
        }
    }

    /// The command that was called, without its arguments.
    pub(crate) fn command(&self) -> String {
        let program = || std::env::current_exe().unwrap_or_default().display().to_string();
        std::env::var("LOOM_COMMAND").unwrap_or_else(|_| program())
    }

    /// Writes into the file of a path whose it is.
    pub(crate) fn name_path(&self, file: &Path, model: &Model) -> std::io::Result<()> {
        let path = std::fs::read_to_string(file)?;
        let rest = path.strip_prefix('{').unwrap_or(&path);
        std::fs::write(file, format!("{{\"model\":\"{}\",{rest}", model.name))
    }

    /// The model of a file's path.
    pub(crate) fn read_path(&self, file: &Path) -> Result<String, String> {
        let wrong = |what: &dyn std::fmt::Display| format!("{}: {what}", file.display());
        let text = std::fs::read_to_string(file).map_err(|error| wrong(&error))?;
        let value: serde_json::Value =
            serde_json::from_str(&text).map_err(|_| wrong(&"not a file of a failed execution"))?;
        let name = value.get("model").and_then(|name| name.as_str());
        name.map(str::to_owned).ok_or_else(|| wrong(&"not a file of a failed execution"))
    }

    /// With LOOM_LOG, prints loom's own events as well.
    pub(crate) fn log_if_asked(&self) {
        if std::env::var_os("LOOM_LOG").is_some() {
            let filter = tracing_subscriber::EnvFilter::from_env("LOOM_LOG");
            tracing_subscriber::fmt().with_env_filter(filter).without_time().init();
        }
    }
}

/// Names the variable, if what is wrong with an option came from there.
fn name_variable(line: &str) -> String {
    let given = |option: &str| {
        let name = option.split(' ').next().unwrap_or(option);
        std::env::args().any(|arg| arg.split('=').next() == Some(name))
    };
    let from = VARIABLES.iter().find(|(option, variable)| {
        line.contains(&format!("'{option}'"))
            && !given(option)
            && std::env::var_os(variable).is_some()
    });
    match from {
        Some((option, variable)) => line.replace(&format!("'{option}'"), variable),
        None => line.to_owned(),
    }
}
