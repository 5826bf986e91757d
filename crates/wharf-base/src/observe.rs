//! What is told while a base is made: phases, bytes, packages. Who shows it is the caller's affair.

/// What making a base spends its time on, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Reading and verifying the archives' indexes.
    Index,
    /// Choosing packages.
    Solve,
    /// Fetching packages.
    Download,
    /// Unpacking packages into layers. Runs beside the download.
    Unpack,
    /// Merging the layers into one root.
    Assemble,
    /// Running the packages' scripts in the sandbox.
    Configure,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A phase begins.
    Started {
        /// Which.
        phase: Phase,
        /// Bytes that will be moved, when that is known; 0 otherwise.
        bytes: u64,
        /// Packages or files that it is about; 0 when unknown.
        items: u64,
    },
    /// A phase went on.
    Advanced {
        /// Which.
        phase: Phase,
        /// Bytes moved since the last report.
        bytes: u64,
        /// Packages or files done since the last report.
        items: u64,
    },
    /// A phase is over.
    Finished(Phase),
}

/// Is told what happens. Called from several threads, and often: it must be quick.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn progress(&self, progress: Progress);
}

/// Nobody looks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn progress(&self, _: Progress) {}
}
