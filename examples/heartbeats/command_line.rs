//! How a command line is read, and what happens to a wrong one.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

/// Reads the command line and checks it. What is wrong with it is said in one line.
pub fn read<A: Parser, O>(check: impl FnOnce(A) -> Result<O, String>) -> Result<O, ExitCode> {
    let arguments = A::try_parse().map_err(|error| {
        if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            // It knows where it goes, and that nobody may be there to read it.
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        refuse(&in_one_line(&error))
    })?;
    check(arguments).map_err(|wrong| refuse(&format!("error: {wrong}")))
}

fn refuse(line: &str) -> ExitCode {
    // There may be nobody to read it.
    let _ = writeln!(io::stderr(), "{line}");
    ExitCode::from(2)
}

/// Returns what is wrong, and the tips, without the usage that comes after them.
fn in_one_line(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "error: a command is missing; --help lists them".to_owned();
    }
    let text = error.to_string();
    let mut lines = text.lines().map(str::trim);
    let wrong: Vec<_> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    let tips = lines.filter(|line| line.starts_with("tip: "));
    [wrong.join(" ")].into_iter().chain(tips.map(str::to_owned)).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Parser)]
    struct Arguments {
        #[arg(long, value_parser = ["one", "two"])]
        word: Option<String>,
    }

    /// Returns the line that this command line is refused with.
    fn line(argument: &str) -> String {
        in_one_line(&Arguments::try_parse_from(["program", argument]).unwrap_err())
    }

    #[test]
    fn tip_stays_in_the_line() {
        let line = line("--wrod");
        assert!(line.starts_with("error: unexpected argument '--wrod' found; tip: "), "{line}");
        assert!(line.contains("'--word'") && !line.contains('\n'), "{line}");
    }

    #[test]
    fn possible_values_stay_in_the_line() {
        let line = line("--word=onee");
        assert!(line.contains("[possible values: one, two]") && line.contains("tip: "), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
    }
}
