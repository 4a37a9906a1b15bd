//! Random numbers from a seed.

/// A generator (splitmix64: Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, 2014).
pub struct Dice(u64);

impl Dice {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of 0..n.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// Once in n times.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// The seed of the environment, else of the clock: every run sees other worlds.
pub fn seeds(count: u64) -> Vec<u64> {
    if let Ok(seed) = std::env::var("FOGBANK_SEED") {
        return vec![seed.parse().expect("FOGBANK_SEED is a number")];
    }
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let soak: u64 = std::env::var("FOGBANK_SOAK").map_or(1, |n| n.parse().expect("FOGBANK_SOAK is a number"));
    (0..count * soak).map(|n| now.wrapping_add(n)).collect()
}
