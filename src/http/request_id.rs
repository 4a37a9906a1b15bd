//! Request ids: a random UUID for each reply.

use std::fmt;

/// A version 4 UUID (RFC 9562), by which a client and the log mean the same request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct RequestId([u8; 16]);

impl RequestId {
    pub fn random() -> Self {
        let mut bytes = [0; 16];
        // Without randomness ids repeat, which harms nobody: they carry no authority.
        if getrandom::fill(&mut bytes).is_err() {
            tracing::warn!("no randomness for a request id");
        }
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Self(bytes)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::RequestId;

    #[test]
    fn it_is_a_version_4_uuid_and_each_is_another() {
        let (one, other) = (RequestId::random().to_string(), RequestId::random().to_string());
        assert_ne!(one, other);
        let dashes: Vec<usize> = one.match_indices('-').map(|(at, _)| at).collect();
        assert_eq!((one.len(), dashes), (36, vec![8, 13, 18, 23]));
        assert_eq!(&one[14..15], "4");
        assert!("89ab".contains(&one[19..20]));
    }
}
