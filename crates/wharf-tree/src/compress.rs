//! Compression of layers and archives: recognising it, undoing it, and doing it on several threads with bytes that depend
//! on nothing but the input and the settings.

mod chunked;
mod detect;
mod ratio;

use std::io::{self, Read};

pub use chunked::Compressor;
pub use detect::Compression;
pub use ratio::Bomb;

/// Reads a layer decompressed, whatever it is: the media types of layers are not to be trusted. A stream that expands
/// beyond all reason is an [`io::ErrorKind::InvalidData`] error that holds a [`Bomb`].
pub fn decompress<'r>(reader: impl Read + 'r) -> io::Result<(Compression, Box<dyn Read + 'r>)> {
    let (start, reader) = detect::peek(reader)?;
    let compression = Compression::detect(&start);
    let (reader, count) = ratio::counted(reader);
    let decoder: Box<dyn Read + 'r> = match compression {
        Compression::Plain => return Ok((compression, Box::new(reader))),
        Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(reader)),
        Compression::Zstd => Box::new(zstd::Decoder::new(reader)?),
    };
    Ok((compression, Box::new(ratio::Bounded::new(decoder, count))))
}

/// Reads an archive that a user gave to ADD: as [`decompress`], and bzip2 and xz.
pub fn decompress_archive<'r>(reader: impl Read + 'r) -> io::Result<Box<dyn Read + 'r>> {
    let (start, reader) = detect::peek(reader)?;
    if !start.starts_with(detect::BZIP2) && !start.starts_with(detect::XZ) {
        return decompress(reader).map(|(_, reader)| reader);
    }
    let (reader, count) = ratio::counted(reader);
    let decoder: Box<dyn Read + 'r> = match &start[..] {
        start if start.starts_with(detect::XZ) => {
            Box::new(liblzma::read::XzDecoder::new_multi_decoder(reader))
        }
        _ => Box::new(bzip2::read::MultiBzDecoder::new(reader)),
    };
    Ok(Box::new(ratio::Bounded::new(decoder, count)))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn compressed(input: &[u8], compression: Compression, level: i32, threads: usize) -> Vec<u8> {
        let mut compressor = Compressor::new(Vec::new(), compression, level, threads);
        // Writes of odd sizes, so that chunks are cut inside of them.
        input
            .chunks(70_001)
            .for_each(|part| compressor.write_all(part).unwrap());
        compressor.finish().unwrap()
    }

    /// Text that compresses, but not to nothing.
    fn sample(length: usize) -> Vec<u8> {
        let numbers = (0_u32..).map(|index| index.wrapping_mul(2_654_435_761) >> 20);
        numbers
            .flat_map(|number| format!("{number} ").into_bytes())
            .take(length)
            .collect()
    }

    #[test]
    fn what_was_compressed_comes_back() {
        for compression in [Compression::Plain, Compression::Gzip, Compression::Zstd] {
            for length in [0, 1, 1 << 20, (5 << 20) + 7] {
                let input = sample(length);
                let bytes = compressed(&input, compression, 3, 2);
                let (detected, mut reader) = decompress(&bytes[..]).unwrap();
                let mut output = Vec::new();
                reader.read_to_end(&mut output).unwrap();
                assert!(output == input, "{compression:?} {length}");
                assert!(detected == compression || length == 0, "{compression:?} {length}");
            }
        }
    }

    #[test]
    fn bytes_do_not_depend_on_threads() {
        let input = sample(6 << 20);
        for compression in [Compression::Gzip, Compression::Zstd] {
            let one = compressed(&input, compression, 4, 1);
            assert!(one == compressed(&input, compression, 4, 3), "{compression:?}");
        }
    }

    /// Layers that were pushed are known by these bytes: a change of them is a new version of the encoder.
    #[test]
    fn golden_bytes() {
        let input = sample((2 << 20) + 5);
        let settings = [
            (Compression::Gzip, 6),
            (Compression::Gzip, 1),
            (Compression::Zstd, 3),
        ];
        let digests = settings.map(|(compression, level)| {
            let digest = wharf_oci::Digest::of(&compressed(&input, compression, level, 2));
            format!("{compression:?} {level} {}", digest.hex())
        });
        insta::assert_snapshot!(digests.join("\n"), @"
        Gzip 6 5d9f282cf9731c51b201fcf4b0e94954a2d5ebff92ff0cbb6a98e850eae79d1b
        Gzip 1 76dce6a4c67caafd047ebac6eab521bced8444743cc3fd5e07f0f497ba61d593
        Zstd 3 b8a41c447eec4e6996fcf6969274434fe0cf9a57bb7626f3370b1a74347dbb4a
        ");
    }

    #[test]
    fn cut_and_damaged_streams_are_errors() {
        for compression in [Compression::Gzip, Compression::Zstd] {
            let bytes = compressed(&sample(100_000), compression, 3, 1);
            let read = |bytes: &[u8]| {
                decompress(bytes).and_then(|(_, mut reader)| io::copy(&mut reader, &mut io::sink()))
            };
            assert!(read(&bytes[..bytes.len() - 5]).is_err(), "{compression:?}");
            let mut damaged = bytes.clone();
            damaged[bytes.len() / 2] ^= 0x55;
            assert!(read(&damaged).is_err(), "{compression:?}");
        }
    }

    #[test]
    fn archives_may_be_xz_and_bzip2() {
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
        xz.write_all(b"content").unwrap();
        let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        bzip2.write_all(b"content").unwrap();
        let gzip = compressed(b"content", Compression::Gzip, 1, 1);
        for bytes in [
            xz.finish().unwrap(),
            bzip2.finish().unwrap(),
            gzip,
            b"content".to_vec(),
        ] {
            let mut output = String::new();
            decompress_archive(&bytes[..])
                .unwrap()
                .read_to_string(&mut output)
                .unwrap();
            assert_eq!(output, "content");
        }
    }
}
