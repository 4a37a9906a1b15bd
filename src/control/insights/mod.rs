//! Reachability Analyzer: whether packets pass, which way they go, and which rules decide
//! (<https://docs.aws.amazon.com/vpc/latest/reachability/how-reachability-analyzer-works.html>).
//!
//! The answer is [`crate::verdict`]'s, which tests hold against the kernel. It is there at once, and stays as it was.

mod analyses;
mod finding;
mod paths;
mod shape;
#[cfg(test)]
mod tests;

pub use analyses::{
    delete_network_insights_analysis, describe_network_insights_analyses, start_network_insights_analysis,
};
pub use paths::{
    create_network_insights_path, delete_network_insights_path, describe_network_insights_paths,
};
