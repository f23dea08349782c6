//! The timing wheel against a sorted map, driven by operations made of bytes.

#![no_main]

#[path = "../../tests/model/wheel.rs"]
mod model;

use libfuzzer_sys::fuzz_target;
use model::{Operation, Pair};

fuzz_target!(|operations: Vec<Operation>| {
    let mut pair = Pair::new();
    for operation in operations {
        pair.apply(operation);
    }
    pair.finish();
});
