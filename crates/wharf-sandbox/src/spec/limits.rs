//! How much a process may use.

use serde::{Deserialize, Serialize};

/// A resource limit of the process and those it starts (setrlimit(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// Of what.
    pub resource: Resource,
    /// What the process may raise no further than `hard`; none: no limit.
    pub soft: Option<u64>,
    /// The ceiling; none: no limit.
    pub hard: Option<u64>,
}

macro_rules! resources {
    ($($variant:ident $name:literal $doc:literal,)*) => {
        /// What a [`Ulimit`] limits; units are setrlimit(2)'s.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum Resource { $(#[doc = $doc] $variant,)* }

        impl Resource {
            /// All of them.
            pub const ALL: &[Resource] = &[$(Resource::$variant,)*];

            /// The name of `--ulimit`'s values.
            pub fn name(self) -> &'static str {
                match self { $(Resource::$variant => $name,)* }
            }
        }
    };
}

resources! {
    Core "core" "Size of a core file, bytes.",
    Cpu "cpu" "Processor time, seconds.",
    Data "data" "Data segment, bytes.",
    Fsize "fsize" "Size of a file, bytes.",
    Locks "locks" "File locks.",
    Memlock "memlock" "Locked memory, bytes.",
    Msgqueue "msgqueue" "POSIX message queues, bytes.",
    Nice "nice" "Ceiling of the nice value, as 20 - nice.",
    Nofile "nofile" "Open files.",
    Nproc "nproc" "Processes of the user.",
    Rss "rss" "Resident memory, bytes.",
    Rtprio "rtprio" "Ceiling of the real-time priority.",
    Rttime "rttime" "Real-time processor time without a pause, microseconds.",
    Sigpending "sigpending" "Queued signals.",
    Stack "stack" "Stack, bytes.",
}

impl Resource {
    /// The resource of that `--ulimit` name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|resource| resource.name() == name)
    }
}

/// Limits that need a cgroup.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Most memory, bytes.
    pub memory: Option<u64>,
    /// Most processor time, thousandths of one processor.
    pub cpu_millis: Option<u64>,
    /// Most processes and threads.
    pub processes: Option<u64>,
}
