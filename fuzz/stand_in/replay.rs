//! Runs inputs without libFuzzer, for Miri: each file that is named, once.

use arbitrary::{Arbitrary, Unstructured};

pub(crate) fn files<P: for<'a> Arbitrary<'a>>(run: impl Fn(P)) {
    let files: Vec<_> = std::env::args().skip(1).collect();
    for file in &files {
        let bytes = std::fs::read(file).unwrap_or_else(|error| panic!("{file}: {error}"));
        if let Ok(program) = P::arbitrary_take_rest(Unstructured::new(&bytes)) {
            run(program);
        }
    }
    assert!(!files.is_empty(), "no file is named");
    println!("{} inputs", files.len());
}
