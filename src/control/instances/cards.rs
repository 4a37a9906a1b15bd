//! How many network interfaces an instance may have, by its type.

/// Burstable families.
const BURSTABLE: &[&str] = &["t2", "t3", "t3a", "t4g"];

/// How many network interfaces an instance of a type has at most, and how many IPv4 addresses each of them
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/AvailableIpPerENI.html>): as most types of the size have it.
pub fn interface_limits(name: &str) -> (usize, usize) {
    let (family, size) = name.split_once('.').unwrap_or((name, ""));
    match (family, size) {
        (_, "nano" | "micro") => (2, 2),
        ("m1", "small") => (2, 4),
        (_, "small") => (3, 4),
        ("c1" | "m1" | "m3", "medium") => (2, 6),
        (_, "medium") if BURSTABLE.contains(&family) => (3, 6),
        (_, "medium") => (2, 4),
        (_, "large") if BURSTABLE.contains(&family) => (3, 12),
        ("m4", "large") => (2, 10),
        (_, "large") => (3, 10),
        ("t2", "xlarge" | "2xlarge") => (3, 15),
        (_, "xlarge" | "2xlarge") => (4, 15),
        ("m4" | "x1" | "x1e", "10xlarge" | "16xlarge" | "32xlarge") => (8, 30),
        (_, "3xlarge" | "4xlarge" | "6xlarge" | "8xlarge" | "9xlarge" | "10xlarge" | "12xlarge") => (8, 30),
        _ => (15, 50),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_the_interfaces_that_ec2_tells() {
        for (name, limits) in [
            ("t2.micro", (2, 2)),
            ("t3.small", (3, 4)),
            ("t3.medium", (3, 6)),
            ("t3.large", (3, 12)),
            ("m1.small", (2, 4)),
            ("m1.medium", (2, 6)),
            ("m4.large", (2, 10)),
            ("m5.large", (3, 10)),
            ("m5.xlarge", (4, 15)),
            ("m5.12xlarge", (8, 30)),
            ("m5.24xlarge", (15, 50)),
            ("m6g.medium", (2, 4)),
            ("m4.16xlarge", (8, 30)),
        ] {
            assert_eq!(interface_limits(name), limits, "{name}");
        }
    }
}
