//! earmark-engine
