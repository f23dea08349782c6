//! Names what differs between systems and compilers, once.
//!
//! - `async_wheel_epoll`: the system's poller is epoll, with its timers and its clocks.
//! - `async_wheel_kqueue`: it is a kqueue.
//! - `async_wheel_nested`: a poller can be polled by another one.
//! - `async_wheel_edge`: it can keep interest registered and report edges.
//! - `async_wheel_socket_flags`: a socket can be made non-blocking, and closed on `exec`, as it is
//!   made.
//! - `async_wheel_no_pipe`: the compiler has no `std::io::PipeReader` and `PipeWriter`, which came
//!   with Rust 1.87.
//!
//! `async_wheel_single_shard` and `async_wheel_oneshot` take two of them away: with these cfg
//! variants, what other systems do is tested on this one.
//!
//! Without the feature `std` there is the wheel only, which is the same everywhere.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "std")]
    name_differences();
}

#[cfg(feature = "std")]
fn name_differences() {
    cfg_aliases::cfg_aliases! {
        async_wheel_epoll: { any(target_os = "linux", target_os = "android") },
        async_wheel_kqueue: {
            any(
                target_vendor = "apple",
                target_os = "freebsd",
                target_os = "netbsd",
                target_os = "openbsd",
                target_os = "dragonfly"
            )
        },
        async_wheel_socket_flags: {
            any(
                target_os = "android",
                target_os = "dragonfly",
                target_os = "freebsd",
                target_os = "illumos",
                target_os = "linux",
                target_os = "netbsd",
                target_os = "openbsd"
            )
        },
        async_wheel_nested: {
            all(any(async_wheel_epoll, async_wheel_kqueue), not(async_wheel_single_shard))
        },
        async_wheel_edge: {
            all(any(async_wheel_epoll, async_wheel_kqueue), not(async_wheel_oneshot))
        },
    }
    match autocfg::AutoCfg::new() {
        Ok(compiler) if !compiler.probe_rustc_version(1, 87) => {
            autocfg::emit("async_wheel_no_pipe");
        }
        Ok(_) => {}
        Err(error) => println!("cargo::warning=cannot look at the compiler: {error}"),
    }
}
