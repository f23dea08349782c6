//! Tests in a process of their own, for what concerns the whole of it: limits, signals, and
//! what happens first.

use std::any::type_name;
use std::env;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Says to the test binary which test it is to be.
const NAME: &str = "ASYNC_WHEEL_TEST";

/// A process of its own that has not ended after this hangs.
const LIFETIME: Duration = Duration::from_secs(150);

/// Runs a test's body, a closure in the test's own function, in a process that does nothing else.
#[track_caller]
pub fn alone<F: FnOnce()>(body: F) {
    let name = test_of::<F>();
    if is(name) {
        return body();
    }
    let mut child = spawn(name);
    let status = wait(&mut child, LIFETIME);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    match status {
        Some(status) if status.success() => {
            assert!(said.contains("1 passed"), "{name} has not run\n{said}");
            print!("{said}");
        }
        Some(status) => panic!("{name}: {status}\n{said}"),
        None => panic!("{name} hangs\n{said}"),
    }
}

/// Returns the name of the test whose function the closure stands in.
fn test_of<F>() -> &'static str {
    let path = type_name::<F>().strip_suffix("::{{closure}}").expect("a closure");
    path.split_once("::").expect("the test's crate").1
}

/// Starts a process that runs the body of the test of this name.
pub fn spawn(name: &str) -> Child {
    spawn_with(name, &[])
}

/// Starts it with variables in its environment.
pub fn spawn_with(name: &str, variables: &[(&str, &str)]) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(NAME, name)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Returns `true` if this is the process for the test of this name.
pub fn is(name: &str) -> bool {
    env::var_os(NAME).is_some_and(|is| is == name)
}

/// Returns how the process ended. One that takes too long is killed, and the result is `None`.
pub fn wait(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if start.elapsed() > patience {
            child.kill().unwrap();
            return None;
        }
        thread::sleep(Duration::from_millis(2));
    }
}
