//! How a command line is read, and what happens to a wrong one.

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
        eprintln!("{}", in_one_line(&error));
        ExitCode::from(2)
    })?;
    check(arguments).map_err(|wrong| {
        eprintln!("error: {wrong}");
        ExitCode::from(2)
    })
}

/// What is wrong, without the hints that come after it.
fn in_one_line(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "error: a command is missing; --help lists them".to_owned();
    }
    let text = error.to_string();
    let lines: Vec<_> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    lines.join(" ")
}
