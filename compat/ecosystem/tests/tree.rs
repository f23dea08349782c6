//! That the crates under test run on the shim and on nothing else.

#![allow(dead_code, reason = "it uses a part of the fixture of the library's own tests")]

#[path = "../../../tests/common/threads.rs"]
#[cfg(target_os = "linux")]
mod threads;
#[path = "../../../tests/common/time.rs"]
mod time;

use std::process::Command;
#[cfg(target_os = "linux")]
use std::time::Instant;

use serde_json::Value;

/// Crates of this tree that are built on async-io. Each must have got the shim.
const BUILT_ON_IT: [&str; 10] = [
    "async-global-executor",
    "async-net",
    "async-process",
    "async-signal",
    "async-std",
    "ecosystem",
    "futures-time",
    "quinn",
    "smol",
    "smol-hyper",
];

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata: {errors}");
    serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON")
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("no list {key:?} in the metadata"))
}

#[test]
fn tree_holds_only_the_shims_async_io() {
    let metadata = metadata();
    let found: Vec<_> = list(&metadata, "packages")
        .iter()
        .filter(|package| package["name"] == "async-io")
        .map(|package| (package["id"].clone(), package["source"].clone()))
        .collect();
    let [(shim, source)] = found.as_slice() else {
        panic!("one async-io is in the tree, and it is the shim; found {found:?}");
    };
    assert!(source.is_null(), "async-io is the one of this repository, not of {source}");

    let nodes = list(&metadata["resolve"], "nodes");
    let depends_on_the_shim =
        |node: &&Value| list(node, "deps").iter().any(|dependency| &dependency["pkg"] == shim);
    for name in BUILT_ON_IT {
        let found = nodes.iter().filter(depends_on_the_shim).any(|node| {
            let id = node["id"].as_str().unwrap_or_default();
            id.contains(&format!("/{name}#")) || id.contains(&format!("#{name}@"))
        });
        assert!(found, "{name} is built on the shim");
    }

    let shims_dependencies = nodes.iter().find(|node| &node["id"] == shim).map(|node| {
        list(node, "deps").iter().map(|dependency| dependency["name"].clone()).collect::<Vec<_>>()
    });
    assert_eq!(shims_dependencies, Some(vec!["async_wheel".into()]));
}

#[test]
fn crates_use_the_types_of_the_shim() {
    smol::block_on(async {
        let listener: smol::Async<std::net::TcpListener> =
            async_io::Async::<std::net::TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
        drop(async_net::TcpListener::from(listener));
        let timer: async_io::Timer = smol::Timer::after(time::MS);
        timer.await;
    });
}

#[test]
#[cfg(target_os = "linux")]
fn the_only_thread_that_drives_is_ours() {
    smol::block_on(smol::Timer::after(time::MS));
    let start = Instant::now();
    while threads::named("async-wheel").is_empty() {
        assert!(start.elapsed() < time::PATIENCE, "{:?}", threads::names());
        std::thread::sleep(time::MS);
    }
    assert!(threads::named("async-io").is_empty(), "{:?}", threads::names());
}
