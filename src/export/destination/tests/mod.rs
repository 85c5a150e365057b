//! The contract of destinations, tried on each of them, also through faults.

pub(super) mod contract;
pub(in crate::export) mod faulty;
