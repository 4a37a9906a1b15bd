//! Instance types. A name decides nothing here but what is told back, so any of EC2's is taken; one
//! that EC2 does not know is refused, for it is a misspelling.

use crate::query::api::output;

/// What RunInstances launches when no type is given
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html>).
pub const DEFAULT: &str = "m1.small";

/// Families up to the end of 2025, without the ones for accelerators and Mac.
#[rustfmt::skip]
const FAMILIES: &[&str] = &[
    "a1", "c1", "c3", "c4", "c5", "c5a", "c5ad", "c5d", "c5n", "c6a", "c6g", "c6gd", "c6gn", "c6i", "c6id",
    "c6in", "c7a", "c7g", "c7gd", "c7gn", "c7i", "c7i-flex", "c8g", "cc1", "cc2", "cr1", "d2", "d3", "d3en",
    "h1", "hs1", "i2", "i3", "i3en", "i4g", "i4i", "m1", "m2", "m3", "m4", "m5", "m5a", "m5ad", "m5d", "m5dn",
    "m5n", "m5zn", "m6a", "m6g", "m6gd", "m6i", "m6id", "m6idn", "m6in", "m7a", "m7g", "m7gd", "m7i",
    "m7i-flex", "m8g", "r3", "r4", "r5", "r5a", "r5ad", "r5b", "r5d", "r5dn", "r5n", "r6a", "r6g", "r6gd",
    "r6i", "r6id", "r6idn", "r6in", "r7a", "r7g", "r7gd", "r7i", "r7iz", "r8g", "t1", "t2", "t3", "t3a",
    "t4g", "x1", "x1e", "x2gd", "z1d",
];

/// Sizes with their number of virtual processors.
#[rustfmt::skip]
const SIZES: &[(&str, i64)] = &[
    ("nano", 1), ("micro", 1), ("small", 1), ("medium", 1), ("large", 2), ("xlarge", 4), ("2xlarge", 8),
    ("3xlarge", 12), ("4xlarge", 16), ("6xlarge", 24), ("8xlarge", 32), ("9xlarge", 36), ("10xlarge", 40),
    ("12xlarge", 48), ("16xlarge", 64), ("18xlarge", 72), ("24xlarge", 96), ("32xlarge", 128),
    ("48xlarge", 192), ("metal", 96),
];

fn processors(name: &str) -> Option<i64> {
    let (family, size) = name.split_once('.')?;
    let (_, processors) = SIZES.iter().find(|(known, _)| *known == size)?;
    FAMILIES.contains(&family).then_some(*processors)
}

/// What a type of this name promises in memory, roughly: 2 GiB a processor, and less for what is
/// smaller than `large`. It ranks hosts and limits nothing.
pub fn memory_mib(name: &str) -> u64 {
    let size = name.split_once('.').map_or("", |(_, size)| size);
    match size {
        "nano" => 512,
        "micro" => 1024,
        "small" => 2048,
        _ => processors(name).unwrap_or(1).cast_unsigned().max(2) * 2048,
    }
}

/// Whether EC2 has, or had, a type of this name.
pub fn known(name: &str) -> bool {
    processors(name).is_some()
}

/// The processors that a type of this name has in EC2.
pub fn cpu_options(name: &str) -> output::CpuOptions {
    let processors = processors(name).unwrap_or(1);
    let threads_per_core = if processors > 1 { 2 } else { 1 };
    output::CpuOptions { core_count: processors / threads_per_core, threads_per_core }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ec2s_names_are_known_and_others_are_not() {
        for name in [DEFAULT, "t3.micro", "m5.24xlarge", "c7i-flex.large", "t1.micro"] {
            assert!(known(name), "{name}");
        }
        for name in ["", "t3", "t3.", ".micro", "t3.micr", "t9.micro", "T3.micro", "t3.micro.x"] {
            assert!(!known(name), "{name}");
        }
        assert_eq!(cpu_options("m5.xlarge"), output::CpuOptions { core_count: 2, threads_per_core: 2 });
    }
}
