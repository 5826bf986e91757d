//! Dockerfile text to instructions with spans; words; ignore files; lint.
