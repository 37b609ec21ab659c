//! earmark-audio
