//! Looks at the compiler, as both crates do: whether it has `std::io::PipeReader`.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(pipes)");
    if autocfg::new().probe_rustc_version(1, 87) {
        println!("cargo::rustc-cfg=pipes");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
