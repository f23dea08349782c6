//! The limit on open files.

/// Allows this process so many descriptors, raising the limit if need be, or says what to do
/// about it.
#[cfg(unix)]
pub fn allow_descriptors(needed: u64) -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let allows = |value: Option<u64>| value.is_none_or(|value| value >= needed);
    if allows(limit.current) {
        return Ok(());
    }
    // The soft limit is ours to raise; the hard one only if we are privileged.
    let raised = if allows(limit.maximum) {
        Rlimit { current: Some(needed), maximum: limit.maximum }
    } else {
        Rlimit { current: Some(needed), maximum: Some(needed) }
    };
    setrlimit(Resource::Nofile, raised).map_err(|_| {
        let hard = limit.maximum.unwrap_or(u64::MAX);
        format!(
            "this needs {needed} open files and the system allows {hard}: \
             run `ulimit -Hn {needed}` as root first, or ask for fewer connections or threads"
        )
    })
}

/// Windows has no such limit.
#[cfg(not(unix))]
pub fn allow_descriptors(_needed: u64) -> Result<(), String> {
    Ok(())
}
