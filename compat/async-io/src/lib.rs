//! `async-wheel` under the name of `async-io`, so that a whole tree of crates runs on it by
//! `[patch.crates-io]`. There is nothing here but the re-export; `docs/migration.md` in the
//! repository has the recipe.

pub use async_wheel::*;
