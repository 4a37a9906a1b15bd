//! The HTTP door: router, limits, TLS, health, metrics.
