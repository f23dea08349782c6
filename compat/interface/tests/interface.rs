//! That both crates have the same traits on the same types. That the items are the same, the
//! library's compiling has shown.

use std::collections::BTreeMap;

use interface::{original, wheel};

/// Where the two differ on purpose: what async-wheel has and async-io has not.
const MORE: &[&str] = &[];

#[test]
fn types_have_the_same_traits() {
    let wheel: BTreeMap<_, _> = wheel::interface::auto_traits().into_iter().collect();
    let mut differences = Vec::new();
    for (what, expected) in original::interface::auto_traits() {
        if wheel[what] != expected && !(wheel[what] && MORE.contains(&what)) {
            differences.push(format!("async-io: {expected}, async-wheel: {}: {what}", wheel[what]));
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
    assert!(wheel.len() > 400, "the table covers {} pairs", wheel.len());
}

#[test]
fn the_table_knows_yes_from_no() {
    let table: BTreeMap<_, _> = original::interface::auto_traits().into_iter().collect();
    assert!(table["Async<TcpStream>: Send"]);
    assert!(!table["Async<Neither>: Send"]);
    assert!(table["Async<TcpStream>: AsyncRead"]);
    assert!(!table["Async<TcpListener>: AsyncRead"]);
}
