//! Where async-wheel behaves otherwise than async-io, on purpose. Each has its reason in
//! `docs/migration.md`.

/// The helper thread has another name.
#[test]
#[cfg(target_os = "linux")]
fn helper_thread_is_named_after_its_crate() {
    use crate::tools::{MS, PATIENCE, threads};
    use std::time::Instant;

    async_io::block_on(async_io::Timer::after(MS));
    async_wheel::block_on(async_wheel::Timer::after(MS));
    let start = Instant::now();
    for name in ["async-io", "async-wheel"] {
        while threads::named(name).is_empty() {
            assert!(start.elapsed() < PATIENCE, "{:?}", threads::names());
            std::thread::sleep(MS);
        }
    }
}
