//! The threads of this process, as Linux tells them.

use std::collections::BTreeMap;
use std::fs;

/// Returns the name of each thread, by its id.
pub fn names() -> BTreeMap<i32, String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let name = |task: fs::DirEntry| {
        let name = fs::read_to_string(task.path().join("comm")).ok()?;
        Some((task.file_name().to_str()?.parse().ok()?, name.trim().to_owned()))
    };
    // A thread may end meanwhile.
    tasks.filter_map(|task| name(task.ok()?)).collect()
}

/// Returns the ids of the threads of this name. A thread takes its name when it first runs.
pub fn named(name: &str) -> Vec<i32> {
    names().into_iter().filter(|(_, is)| is == name).map(|(id, _)| id).collect()
}

/// Returns how often each thread but this one has gone to sleep so far.
pub fn sleeps_of_others() -> BTreeMap<String, u64> {
    let own = fs::read_link("/proc/thread-self").unwrap();
    let own = own.file_name().unwrap().to_owned();
    let tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap());
    let others = tasks.filter(|task| task.file_name() != own);
    let sleeps = others.map(|task| {
        let status = fs::read_to_string(task.path().join("status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line[name.len()..].trim().to_owned()
        };
        let name = format!("{} {}", field("Name:"), task.file_name().to_string_lossy());
        (name, field("voluntary_ctxt_switches:").parse().unwrap())
    });
    sleeps.collect()
}
