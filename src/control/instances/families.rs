//! EC2's families of instance types and the sizes that each has, without those for accelerators and Mac
//! (<https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-type-specifications.html>).

/// Families that have the same sizes, with MiB of memory for each processor of an ordinary size.
#[rustfmt::skip]
pub const FAMILIES: &[(&str, u64, &str)] = &[
    ("a1", 2048, "medium large xlarge 2xlarge 4xlarge metal"),
    ("c1", 2048, "medium xlarge"),
    ("c3 c4", 1920, "large xlarge 2xlarge 4xlarge 8xlarge"),
    ("c5 c5d", 2048, "large xlarge 2xlarge 4xlarge 9xlarge 12xlarge 18xlarge 24xlarge metal"),
    ("c5a c5ad", 2048, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge"),
    ("c5n", 2688, "large xlarge 2xlarge 4xlarge 9xlarge 18xlarge metal"),
    ("c6a", 2048, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge 48xlarge metal"),
    ("c6g c6gd c7g c7gd c7gn", 2048, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge metal"),
    ("c6gn", 2048, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
    ("c6i c6id c6in", 2048, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge metal"),
    ("c7a", 2048, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge 48xlarge metal-48xl"),
    ("c7i", 2048, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge metal-24xl metal-48xl"),
    ("c7i-flex c8i-flex", 2048, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
    ("c8a c8g c8gd c8gn", 2048, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge metal-24xl metal-48xl"),
    ("c8i", 2048, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge 48xlarge 96xlarge metal-48xl metal-96xl"),
    ("cc1", 2048, "4xlarge"),
    ("cc2 cr1", 2048, "8xlarge"),
    ("d2 i2", 7808, "xlarge 2xlarge 4xlarge 8xlarge"),
    ("d3", 8192, "xlarge 2xlarge 4xlarge 8xlarge"),
    ("d3en", 4096, "xlarge 2xlarge 4xlarge 6xlarge 8xlarge 12xlarge"),
    ("h1", 4096, "2xlarge 4xlarge 8xlarge 16xlarge"),
    ("hs1", 8192, "8xlarge"),
    ("i3", 7808, "large xlarge 2xlarge 4xlarge 8xlarge 16xlarge metal"),
    ("i3en", 8192, "large xlarge 2xlarge 3xlarge 6xlarge 12xlarge 24xlarge metal"),
    ("i4g", 8192, "large xlarge 2xlarge 4xlarge 8xlarge 16xlarge"),
    ("i4i r6i r6id r6idn r6in", 8192, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge metal"),
    ("i7i r7i", 8192, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge metal-24xl metal-48xl"),
    ("i7ie i8ge", 8192, "large xlarge 2xlarge 3xlarge 6xlarge 12xlarge 18xlarge 24xlarge 48xlarge metal-24xl metal-48xl"),
    ("i8g", 8192, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge metal-24xl"),
    ("im4gn", 4096, "large xlarge 2xlarge 4xlarge 8xlarge 16xlarge"),
    ("is4gen", 6144, "medium large xlarge 2xlarge 4xlarge 8xlarge"),
    ("m1", 3840, "small medium large xlarge"),
    ("m2", 4096, "xlarge 2xlarge 4xlarge"),
    ("m3", 3840, "medium large xlarge 2xlarge"),
    ("m4", 4096, "large xlarge 2xlarge 4xlarge 10xlarge 16xlarge"),
    ("m5 m5d m5dn m5n", 4096, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge metal"),
    ("m5a m5ad", 4096, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge"),
    ("m5zn", 4096, "large xlarge 2xlarge 3xlarge 6xlarge 12xlarge metal"),
    ("m6a", 4096, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge 48xlarge metal"),
    ("m6g m6gd m7g m7gd", 4096, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge metal"),
    ("m6i m6id m6idn m6in", 4096, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge metal"),
    ("m7a", 4096, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge 48xlarge metal-48xl"),
    ("m7i", 4096, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge metal-24xl metal-48xl"),
    ("m7i-flex m8i-flex", 4096, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
    ("m8a m8g m8gd", 4096, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge metal-24xl metal-48xl"),
    ("m8i", 4096, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge 48xlarge 96xlarge metal-48xl metal-96xl"),
    ("r3", 7808, "large xlarge 2xlarge 4xlarge 8xlarge"),
    ("r4", 7808, "large xlarge 2xlarge 4xlarge 8xlarge 16xlarge"),
    ("r5 r5b r5d r5dn r5n", 8192, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge metal"),
    ("r5a r5ad", 8192, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge"),
    ("r6a", 8192, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge 48xlarge metal"),
    ("r6g r6gd r7g r7gd", 8192, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge metal"),
    ("r7a", 8192, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge 48xlarge metal-48xl"),
    ("r7iz", 8192, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 32xlarge metal-16xl metal-32xl"),
    ("r8a r8g r8gd r8gn", 8192, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge metal-24xl metal-48xl"),
    ("r8i", 8192, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge 48xlarge 96xlarge metal-48xl metal-96xl"),
    ("r8i-flex", 8192, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
    ("t1", 4096, "micro"),
    ("t2 t3 t3a t4g", 4096, "nano micro small medium large xlarge 2xlarge"),
    ("x1", 15616, "16xlarge 32xlarge"),
    ("x1e", 31232, "xlarge 2xlarge 4xlarge 8xlarge 16xlarge 32xlarge"),
    ("x2gd", 16384, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge metal"),
    ("x2idn", 16384, "16xlarge 24xlarge 32xlarge metal"),
    ("x2iedn", 32768, "xlarge 2xlarge 4xlarge 8xlarge 16xlarge 24xlarge 32xlarge metal"),
    ("x2iezn", 32768, "2xlarge 4xlarge 6xlarge 8xlarge 12xlarge metal"),
    ("x8g", 16384, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge metal-24xl metal-48xl"),
    ("z1d", 8192, "large xlarge 2xlarge 3xlarge 6xlarge 12xlarge metal"),
];

/// Types that are not made as the others of their family: processors and MiB of memory.
#[rustfmt::skip]
pub const ODD: &[(&str, u64, u64)] = &[
    ("c1.medium", 2, 1_740), ("c1.xlarge", 8, 7_168), ("c4.8xlarge", 36, 61_440), ("cc1.4xlarge", 16, 23_552),
    ("cc2.8xlarge", 32, 61_952), ("cr1.8xlarge", 32, 249_856), ("d2.8xlarge", 36, 249_856),
    ("hs1.8xlarge", 16, 119_808), ("i3.metal", 72, 524_288), ("m1.small", 1, 1_740), ("m2.xlarge", 2, 17_510),
    ("m2.2xlarge", 4, 35_020), ("m2.4xlarge", 8, 70_041), ("t1.micro", 1, 627),
];

/// Families that EC2 calls those of a previous generation.
pub const PREVIOUS: &[&str] = &["c1", "c3", "cc1", "cc2", "cr1", "hs1", "i2", "m1", "m2", "m3", "r3", "t1"];

/// Families on Xen; all others are on Nitro.
pub const XEN: &[&str] = &[
    "c1", "c3", "c4", "cc1", "cc2", "cr1", "d2", "h1", "hs1", "i2", "i3", "m1", "m2", "m3", "m4", "r3", "r4",
    "t1", "t2", "x1", "x1e",
];

/// Families whose processors have one thread a core, besides those of ARM.
pub const ONE_THREAD: &[&str] = &["c1", "c7a", "c8a", "m1", "m2", "m7a", "m8a", "r7a", "r8a", "t1", "t2"];

/// Burstable families.
pub const BURSTABLE: &[&str] = &["t2", "t3", "t3a", "t4g"];
