//! The last state that this server published, in a file beside the store: a backup that was restored while no server ran
//! is known by lacking it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use super::history::Mark;

/// One line of always the same length, overwritten in place. It is not synced: after a power failure it may be older than
/// what was published, which is still a state that the store has.
#[derive(Default)]
pub(super) struct Memory {
    file: Option<File>,
}

impl Memory {
    /// Opens the file, and reads what is in it.
    ///
    /// # Errors
    /// It cannot be opened. What cannot be understood counts as nothing.
    pub fn open(path: &Path) -> io::Result<(Self, Option<Mark>)> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let mut text = [0; 256];
        let length = file.read_at(&mut text, 0)?;
        let mark = std::str::from_utf8(&text[..length]).ok().and_then(parse);
        Ok((Self { file: Some(file) }, mark))
    }

    /// Remembers a state, before anybody is told of it.
    pub fn note(&self, mark: &Mark) {
        let Some(file) = &self.file else { return };
        let line = format!("{:020} {:-<32} {:-<32}\n", mark.generation, mark.epoch, mark.tag);
        if let Err(error) = file.write_all_at(line.as_bytes(), 0) {
            tracing::warn!(%error, "the last published generation could not be noted");
        }
    }
}

fn parse(text: &str) -> Option<Mark> {
    let mut words = text.strip_suffix('\n')?.split(' ');
    let mut word = || words.next().map(|word| word.trim_end_matches('-'));
    let generation = word()?.parse().ok()?;
    let (epoch, tag) = (word()?.into(), word()?.into());
    Some(Mark { generation, tag, epoch })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_remembered_and_nonsense_is_nothing() {
        let path = std::env::temp_dir().join(format!("fogbank-memory-{}", std::process::id()));
        let (memory, nothing) = Memory::open(&path).unwrap();
        assert_eq!(nothing, None);
        let tag = "0123456789abcdef0123456789abcdef";
        for mark in [
            Mark { generation: 123_456_789, tag: tag.into(), epoch: tag.into() },
            Mark { generation: 0, tag: "".into(), epoch: tag.into() },
        ] {
            memory.note(&mark);
            assert_eq!(Memory::open(&path).unwrap().1, Some(mark));
        }
        std::fs::write(&path, "00000").unwrap();
        assert_eq!(Memory::open(&path).unwrap().1, None);
        std::fs::remove_file(path).unwrap();
    }
}
