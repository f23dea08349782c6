//! Looks at the compiler: `std::io::PipeReader` and `PipeWriter` came with Rust 1.87.
//!
//! The flag says what is *missing*, so that a build without this script takes the compiler to
//! be a current one.

fn main() {
    match autocfg::AutoCfg::new() {
        Ok(compiler) if !compiler.probe_rustc_version(1, 87) => {
            autocfg::emit("async_wheel_no_pipe");
        }
        Ok(_) => {}
        Err(error) => println!("cargo::warning=cannot look at the compiler: {error}"),
    }
    autocfg::rerun_path("build.rs");
}
