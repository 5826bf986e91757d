//! From a root and a configuration to an image: layer blobs, the configuration document, the manifest.

mod assemble;
mod layer_blob;

pub use assemble::{AssembleError, BuiltImage, ImageParts, StepTime, assemble};
pub use layer_blob::{LayerBlob, LayerBlobError, LayerBlobs, LayerSettings};
