//! Instance types. A name decides nothing here but what is told back and how hosts are ranked, so any of EC2's is
//! taken; one that EC2 does not know is refused, for it is a misspelling.

use super::families::{BURSTABLE, FAMILIES, ODD, ONE_THREAD, PREVIOUS, XEN};
use crate::query::api::output;

/// What RunInstances launches when no type is given
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html>).
pub const DEFAULT: &str = "m1.small";

/// A type, as EC2 has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kind {
    pub family: &'static str,
    pub size: &'static str,
    pub processors: u64,
    pub memory_mib: u64,
}

impl Kind {
    /// The type of this name, if EC2 has one.
    pub fn of(name: &str) -> Option<Self> {
        let (family, size) = name.split_once('.')?;
        let (families, per_processor, sizes) =
            FAMILIES.iter().find(|(families, ..)| families.split(' ').any(|known| known == family))?;
        let family = families.split(' ').find(|known| *known == family)?;
        let size = sizes.split(' ').find(|known| *known == size)?;
        Some(Self::made(family, size, *per_processor, sizes))
    }

    /// Every type that there is, by name.
    pub fn all() -> Vec<Self> {
        let of_families = FAMILIES.iter().flat_map(|(families, per_processor, sizes)| {
            let each = move |family: &'static str| {
                sizes.split(' ').map(move |size| Self::made(family, size, *per_processor, sizes))
            };
            families.split(' ').flat_map(each)
        });
        let mut all: Vec<_> = of_families.collect();
        all.sort_by_key(Self::name);
        all
    }

    fn made(family: &'static str, size: &'static str, per_processor: u64, sizes: &str) -> Self {
        let odd = ODD.iter().find(|(name, ..)| name.split_once('.') == Some((family, size)));
        let small = BURSTABLE.contains(&family).then(|| small(family, size)).flatten();
        let (processors, memory_mib) =
            odd.map(|(_, processors, memory)| (*processors, *memory)).or(small).unwrap_or_else(|| {
                let processors = processors(size, sizes);
                (processors, processors * per_processor)
            });
        Self { family, size, processors, memory_mib }
    }

    pub fn name(&self) -> String {
        format!("{}.{}", self.family, self.size)
    }

    /// What comes after the generation: `gd` of `m6gd`.
    fn variant(&self) -> &'static str {
        let family = self.family.trim_start_matches(|c: char| c.is_ascii_lowercase());
        family.trim_start_matches(|c: char| c.is_ascii_digit())
    }

    pub fn is_arm(&self) -> bool {
        self.family == "a1" || self.variant().contains('g')
    }

    pub fn manufacturer(&self) -> &'static str {
        match self.variant() {
            _ if self.is_arm() => "AWS",
            variant if variant.starts_with('a') => "AMD",
            _ => "Intel",
        }
    }

    pub fn threads_per_core(&self) -> u64 {
        if self.is_arm() || self.processors == 1 || ONE_THREAD.contains(&self.family) { 1 } else { 2 }
    }

    pub fn is_metal(&self) -> bool {
        self.size.starts_with("metal")
    }

    pub fn is_nitro(&self) -> bool {
        !XEN.contains(&self.family)
    }

    pub fn is_current(&self) -> bool {
        !PREVIOUS.contains(&self.family)
    }

    pub fn is_burstable(&self) -> bool {
        BURSTABLE.contains(&self.family)
    }

    /// How many network interfaces an instance of the type has at most, and how many IPv4 addresses each of them
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/AvailableIpPerENI.html>): as most types of the size have it.
    pub fn interfaces(&self) -> (u64, u64) {
        match (self.family, self.size) {
            (_, "nano" | "micro") => (2, 2),
            ("m1", "small") => (2, 4),
            (_, "small") => (3, 4),
            ("c1" | "m1" | "m3", "medium") => (2, 6),
            (_, "medium") if self.is_burstable() => (3, 6),
            (_, "medium") => (2, 4),
            (_, "large") if self.is_burstable() => (3, 12),
            (_, "large") => (3, 10),
            (_, "xlarge" | "2xlarge") => (4, 15),
            _ if self.processors <= 48 => (8, 30),
            _ => (15, 50),
        }
    }
}

/// Of the burstable families the small sizes do not go by processors.
fn small(family: &str, size: &str) -> Option<(u64, u64)> {
    let two = if family == "t2" { 1 } else { 2 };
    Some(match size {
        "nano" => (two, 512),
        "micro" => (two, 1024),
        "small" => (two, 2048),
        "medium" => (2, 4096),
        "large" => (2, 8192),
        _ => return None,
    })
}

/// `medium` has 1, `large` 2, `xlarge` 4, `3xlarge` 12; `metal-24xl` what `24xlarge` has, and `metal` what the largest has.
fn processors(size: &str, sizes: &str) -> u64 {
    let times = |size: &str| -> Option<u64> {
        let metal = || size.strip_prefix("metal-").and_then(|rest| rest.strip_suffix("xl"));
        size.strip_suffix("xlarge").or_else(metal)?.parse().ok()
    };
    let times = match size {
        "metal" => sizes.split(' ').filter_map(times).max(),
        size => times(size),
    };
    match size {
        "large" => 2,
        "xlarge" => 4,
        _ => times.map_or(1, |times| times * 4),
    }
}

/// What a type of this name promises in memory. It ranks hosts and limits nothing.
pub fn memory_mib(name: &str) -> u64 {
    Kind::of(name).map_or(2048, |kind| kind.memory_mib)
}

/// Whether EC2 has, or had, a type of this name.
pub fn known(name: &str) -> bool {
    Kind::of(name).is_some()
}

/// Whether a type of this name has CPU credits in EC2.
pub fn burstable(name: &str) -> bool {
    Kind::of(name).is_some_and(|kind| kind.is_burstable())
}

/// The processors that a type of this name has in EC2.
pub fn cpu_options(name: &str) -> output::CpuOptions {
    let (processors, threads) =
        Kind::of(name).map_or((1, 1), |kind| (kind.processors, kind.threads_per_core()));
    output::CpuOptions {
        core_count: (processors / threads).cast_signed(),
        threads_per_core: threads.cast_signed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ec2s_names_are_known_and_others_are_not() {
        for name in [DEFAULT, "t3.micro", "m5.24xlarge", "c7i-flex.large", "t1.micro", "m7i.metal-24xl"] {
            assert!(known(name), "{name}");
        }
        for name in [
            "",
            "t3",
            "t3.",
            ".micro",
            "t3.micr",
            "t9.micro",
            "T3.micro",
            "t3.micro.x",
            "t3.metal",
            "c3 c4.large",
        ] {
            assert!(!known(name), "{name}");
        }
        assert_eq!(cpu_options("m5.xlarge"), output::CpuOptions { core_count: 2, threads_per_core: 2 });
    }

    #[test]
    fn types_have_the_processors_and_memory_that_ec2_tells() {
        for (name, processors, threads, gib) in [
            ("t2.micro", 1, 1, 1.0),
            ("t3.micro", 2, 2, 1.0),
            ("t3.2xlarge", 8, 2, 32.0),
            ("m5.large", 2, 2, 8.0),
            ("m5.metal", 96, 2, 384.0),
            ("m6g.medium", 1, 1, 4.0),
            ("m6g.metal", 64, 1, 256.0),
            ("m7i.metal-24xl", 96, 2, 384.0),
            ("c5n.18xlarge", 72, 2, 189.0),
            ("c4.8xlarge", 36, 2, 60.0),
            ("r4.large", 2, 2, 15.25),
            ("r7a.48xlarge", 192, 1, 1536.0),
            ("i3.metal", 72, 2, 512.0),
            ("x1e.32xlarge", 128, 2, 3904.0),
            ("d3en.12xlarge", 48, 2, 192.0),
        ] {
            let kind = Kind::of(name).unwrap();
            assert_eq!((kind.processors, kind.threads_per_core()), (processors, threads), "{name}");
            assert!((kind.memory_mib as f64 / 1024.0 - gib).abs() < 0.01, "{name}: {}", kind.memory_mib);
        }
    }

    #[test]
    fn every_type_is_found_by_its_own_name() {
        let all = Kind::all();
        assert!(all.iter().all(|kind| Kind::of(&kind.name()) == Some(*kind)));
        let mut names: Vec<_> = all.iter().map(Kind::name).collect();
        names.dedup();
        assert_eq!(names.len(), all.len());
        assert!(
            ["a1.large", "t4g.nano", "im4gn.large", "x2gd.large"]
                .iter()
                .all(|name| Kind::of(name).unwrap().is_arm())
        );
        assert_eq!(Kind::of("m6a.large").unwrap().manufacturer(), "AMD");
        assert_eq!(Kind::of("m6gd.large").unwrap().manufacturer(), "AWS");
        assert_eq!(Kind::of("m6idn.large").unwrap().manufacturer(), "Intel");
    }
}
