//! Files of other programs, changed in one place; every other byte stays

pub(super) mod block;
mod insert;
pub(super) mod json;
pub(super) mod kubeconfig;
pub(super) mod kuberc;
pub(super) mod sections;
pub(super) mod toml;
pub(super) mod yaml;
