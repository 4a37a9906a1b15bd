//! What the disk does by itself.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const BLOCK: [u8; 4096] = [0x5a; 4096];

/// Appends of 4 KiB, each with fdatasync(2) before the next.
pub struct Appends {
    path: PathBuf,
    count: u32,
    took: Duration,
}

impl Appends {
    pub fn new(folder: &Path) -> Self {
        Self { path: folder.join("appends"), count: 0, took: Duration::ZERO }
    }

    /// Appends for a while, to a new file.
    pub fn measure(&mut self, during: Duration) {
        let mut file = File::create(&self.path).unwrap();
        let begun = Instant::now();
        while begun.elapsed() < during {
            file.write_all(&BLOCK).unwrap();
            file.sync_data().unwrap();
            self.count += 1;
        }
        self.took += begun.elapsed();
        std::fs::remove_file(&self.path).unwrap();
    }

    /// A second, over all that was measured.
    pub fn rate(&self) -> f64 {
        f64::from(self.count) / self.took.as_secs_f64()
    }
}
