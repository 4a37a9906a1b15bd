//! Who asks: SigV4 and SigV2, by header and by query.
