//! SQL: the only place that names sqlx.
