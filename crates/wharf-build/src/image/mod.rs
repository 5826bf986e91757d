//! From a root and a configuration to an image: layer blobs, the configuration document, the manifest, the index of several.

mod assemble;
mod index;
mod layer_blob;

pub use assemble::{AssembleError, BuiltImage, ImageParts, StepTime, assemble};
pub use index::{Built, BuiltIndex, PlatformImage};
pub use layer_blob::{LayerBlob, LayerBlobError, LayerBlobs, LayerSettings};
