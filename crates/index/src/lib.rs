//! earmark-index
