//! The vendor's customer API.
mod behaviour;
mod link;
mod page;
mod token;
mod walk;
pub use token::*;
