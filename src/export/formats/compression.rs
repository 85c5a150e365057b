//! How files are compressed. The same rows give the same bytes: no names and no times stand in the headers.

use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use std::io::{self, BufRead, BufReader, Read, Write};
use zstd::stream::read::Decoder as ZstdDecoder;
use zstd::stream::write::Encoder as ZstdEncoder;

/// A compression of whole files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Compression {
    /// As it is.
    #[default]
    None,
    /// RFC 1952.
    Gzip,
    /// RFC 8878, with a checksum of the content.
    Zstd,
}

impl Compression {
    /// Every compression.
    pub const ALL: [Compression; 3] = [Compression::None, Compression::Gzip, Compression::Zstd];

    /// The name in the configuration and in manifests.
    pub const fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
        }
    }

    /// What stands behind the format's extension, with its dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Compression::None => "",
            Compression::Gzip => ".gz",
            Compression::Zstd => ".zst",
        }
    }

    /// The compression of that name.
    pub fn from_name(name: &str) -> Option<Compression> {
        Compression::ALL.into_iter().find(|compression| compression.name() == name)
    }
}

/// Compresses what is written to it into `W`.
pub(in crate::export) enum Compressor<W: Write> {
    None(W),
    Gzip(GzEncoder<W>),
    Zstd(ZstdEncoder<'static, W>),
}

impl<W: Write> Compressor<W> {
    pub(in crate::export) fn new(compression: Compression, inner: W) -> io::Result<Compressor<W>> {
        Ok(match compression {
            Compression::None => Compressor::None(inner),
            Compression::Gzip => Compressor::Gzip(GzEncoder::new(inner, flate2::Compression::default())),
            Compression::Zstd => {
                let mut encoder = ZstdEncoder::new(inner, zstd::DEFAULT_COMPRESSION_LEVEL)?;
                encoder.include_checksum(true)?;
                Compressor::Zstd(encoder)
            }
        })
    }

    /// Writes what is still held back, and the trailer.
    pub(in crate::export) fn finish(self) -> io::Result<W> {
        match self {
            Compressor::None(inner) => Ok(inner),
            Compressor::Gzip(encoder) => encoder.finish(),
            Compressor::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Compressor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Compressor::None(inner) => inner.write(bytes),
            Compressor::Gzip(encoder) => encoder.write(bytes),
            Compressor::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Compressor::None(inner) => inner.flush(),
            Compressor::Gzip(encoder) => encoder.flush(),
            Compressor::Zstd(encoder) => encoder.flush(),
        }
    }
}

const BUFFER: usize = 64 * 1024;

/// The bytes that were compressed into those of `source`.
pub(in crate::export) fn decompressor<'s>(
    compression: Compression,
    source: impl Read + 's,
) -> io::Result<Box<dyn BufRead + 's>> {
    let source = BufReader::with_capacity(BUFFER, source);
    Ok(match compression {
        Compression::None => Box::new(source),
        Compression::Gzip => Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(source))),
        Compression::Zstd => Box::new(BufReader::with_capacity(BUFFER, ZstdDecoder::with_buffer(source)?)),
    })
}

#[cfg(test)]
pub(in crate::export) fn decompress(compression: Compression, bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    decompressor(compression, bytes).unwrap().read_to_end(&mut plain).unwrap();
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compress(compression: Compression, text: &[u8]) -> Vec<u8> {
        let mut compressor = Compressor::new(compression, Vec::new()).unwrap();
        compressor.write_all(text).unwrap();
        compressor.finish().unwrap()
    }

    #[test]
    fn what_goes_in_comes_out_and_always_in_the_same_bytes() {
        let text = "a,b\r\n".repeat(50_000);
        for compression in Compression::ALL {
            for text in [b"".as_slice(), text.as_bytes()] {
                let packed = compress(compression, text);
                assert_eq!(decompress(compression, &packed), text, "{compression:?}");
                assert_eq!(packed, compress(compression, text), "{compression:?}");
            }
        }
        assert!(compress(Compression::Gzip, text.as_bytes()).len() < text.len() / 10);
        // RFC 1952: bytes 4 to 7 are the time, 0 for none; flag bit 3 would announce a name.
        assert_eq!(compress(Compression::Gzip, b"x")[3..8], [0, 0, 0, 0, 0]);
    }

    #[test]
    fn names_lead_back() {
        for compression in Compression::ALL {
            assert_eq!(Compression::from_name(compression.name()), Some(compression));
        }
        assert_eq!(Compression::from_name("gz"), None);
    }
}
