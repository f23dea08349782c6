//! Where async-wheel behaves otherwise than async-io, on purpose. Each has its reason in
//! `docs/migration.md`.

/// The helper thread has another name.
#[test]
#[cfg(target_os = "linux")]
fn helper_thread_is_named_after_its_crate() {
    use std::time::{Duration, Instant};

    async_io::block_on(async_io::Timer::after(Duration::from_millis(1)));
    async_wheel::block_on(async_wheel::Timer::after(Duration::from_millis(1)));
    let names = || -> Vec<String> {
        std::fs::read_dir("/proc/self/task")
            .unwrap()
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
            .map(|name| name.trim().to_owned())
            .collect()
    };
    // A thread takes its name when it first runs.
    let start = Instant::now();
    for name in ["async-io", "async-wheel"] {
        while !names().iter().any(|found| found == name) {
            assert!(start.elapsed() < crate::tools::PATIENCE, "{:?}", names());
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
