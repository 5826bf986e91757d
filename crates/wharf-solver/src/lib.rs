//! Schedules a graph of steps.
