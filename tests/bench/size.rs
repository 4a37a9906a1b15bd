//! How much is measured.

/// Set to anything, the bench tries itself with little of everything. Figures of such a run mean nothing and are not
/// written to docs/BENCHMARKS.md.
const SMALL: &str = "FOGBANK_BENCH_SMALL";

pub fn small() -> bool {
    std::env::var_os(SMALL).is_some()
}

/// What is measured, or what is enough to try the bench.
pub fn of<T>(full: T, small_one: T) -> T {
    if small() { small_one } else { full }
}
