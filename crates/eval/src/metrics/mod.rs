//! Figures from scores and truth. Nothing here knows a file, a model or a sound.
