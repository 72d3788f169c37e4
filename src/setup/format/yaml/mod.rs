//! As much of YAML as kubectl and people write in its files, and where everything stands
//!
//! What is not known for certain (anchors, tags, brackets over several lines, several documents) is an error, and the file is
//! left alone.

mod block;
mod inline;
pub(in crate::setup) mod lists;
mod node;

pub(in crate::setup) use block::read;
pub(in crate::setup) use inline::quoted;
pub(in crate::setup) use node::{Item, Node, Value};
