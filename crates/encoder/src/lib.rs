//! earmark-encoder
