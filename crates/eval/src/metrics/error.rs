//! What figures cannot be made of.

/// Scores and truth that do not fit each other, or have nothing to tell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricError {
    /// Two lists that must be of one length are not.
    #[error("{expected} {what} expected, {received} given")]
    Length {
        /// What is counted.
        what: &'static str,
        /// As many as the other list has.
        expected: usize,
        /// As many as came.
        received: usize,
    },

    /// A class, clip or caption by a number that none has.
    #[error("{what} {received} does not exist: there are {count}, counted from 0")]
    OutOfRange {
        /// What is numbered.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// The number that came.
        received: usize,
    },

    /// A score, time or probability that is not a finite number.
    #[error("the {what} of {name} is not a finite number")]
    NotFinite {
        /// What it is.
        what: &'static str,
        /// Whose it is.
        name: String,
    },

    /// Nothing to make a figure of.
    #[error("nothing to evaluate: {0}")]
    Empty(&'static str),
}
