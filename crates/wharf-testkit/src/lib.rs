//! Test context, fake and real peers.
