//! Benchmarks of async-wheel beside its peers; each lies in `benches/` and tells its own.
