//! The models, each a function named after the race it shows.

pub mod claims;
pub mod give_back;
pub mod leases;
pub mod pool;
pub mod publish;
pub mod regions;
pub mod resets;
pub mod tickets;
