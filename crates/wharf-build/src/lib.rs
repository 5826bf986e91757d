//! Wires a build: context, sources, ops, exporters.
