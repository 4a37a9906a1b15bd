//! Fogbank: EC2 networking on your own Linux hosts. See docs/ARCHITECTURE.md for the way through.

pub mod agent;
pub mod auth;
pub mod check;
pub mod compute;
pub mod config;
pub mod control;
pub mod crash;
pub mod feed;
pub mod http;
pub mod keys;
pub mod lab;
pub mod operator;
pub mod plan;
pub mod query;
pub mod server;
pub mod store;
pub mod types;
pub mod verdict;
pub mod world;
