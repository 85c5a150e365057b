//! The audit at a run's end: customers drawn at random from the mirror are fetched again one by one, compared, and
//! corrected where they differ.
//!
//! In: what the run's walk of the customer list brought. Out: the findings and what they say about the whole mirror, in
//! the report and in the table `audits`; corrections go through the same diff and walks as everything else.
//!
//! Nothing here deletes a customer: that takes a walk of the whole list.

mod comparison;
mod run;

pub(super) use run::audit;
