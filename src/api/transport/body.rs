//! The body of an answer, decompressed as it arrives and never larger than allowed.

use super::utf8_repair;
use flate2::write::MultiGzDecoder;
use std::io::{self, Write};

/// The most memory that is reserved for a body before it arrives.
const MAX_RESERVED: u64 = 256 << 10;

/// U+FEFF, as some servers and tools put it before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The first bytes of gzip (RFC 1952 section 2.3.1), with which no JSON begins. They are more reliable than
/// `Content-Encoding`, which proxies drop, double, or keep on a body that they have decompressed.
const GZIP_MARK: &[u8] = b"\x1f\x8b";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It is longer than allowed.
    TooLarge,
    /// Its gzip data is cut short, or followed by something else.
    Damaged,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Collected {
    pub(super) bytes: Vec<u8>,
    /// Some of its bytes were not UTF-8 and were replaced by escapes (see [`utf8_repair`]).
    pub(super) is_repaired: bool,
}

pub(super) enum Collector {
    Plain(Bounded),
    /// RFC 1952 section 2.2: a file is one member or several, one after the other.
    Zipped(Box<MultiGzDecoder<Bounded>>),
}

/// The error of a [`Bounded`] buffer alone.
const FULL: io::ErrorKind = io::ErrorKind::FileTooLarge;

/// A buffer that refuses to grow beyond `max` bytes.
pub(super) struct Bounded {
    bytes: Vec<u8>,
    max: u64,
}

impl Collector {
    /// For a body of at most `max` bytes; `length` is what the headers announce.
    pub(super) fn new(length: Option<u64>, max: u64) -> Collector {
        // The header may be wrong: only so much is reserved on its word.
        let expected = length.unwrap_or_default().min(MAX_RESERVED);
        Collector::Plain(Bounded { bytes: Vec::with_capacity(expected as usize), max })
    }

    pub(super) fn take(&mut self, part: &[u8]) -> Result<(), BodyError> {
        match self {
            Collector::Plain(body) => {
                let is_beginning = body.bytes.len() < GZIP_MARK.len();
                if !is_beginning || !body.bytes.iter().chain(part).take(GZIP_MARK.len()).eq(GZIP_MARK) {
                    return Ok(body.write_all(part)?);
                }
                let (begun, max) = (std::mem::take(&mut body.bytes), body.max);
                let unzipped = Bounded { bytes: Vec::new(), max };
                *self = Collector::Zipped(Box::new(MultiGzDecoder::new(unzipped)));
                self.take(&begun)?;
                self.take(part)
            }
            Collector::Zipped(decoder) => Ok(decoder.write_all(part)?),
        }
    }

    /// The whole body as UTF-8, without a byte order mark, which a reader of JSON may ignore (RFC 8259 section 8.1).
    /// `is_whole` says that the body arrived to its end; gzip data must then be complete as well.
    pub(super) fn finish(self, is_whole: bool) -> Result<Collected, BodyError> {
        let mut body = match self {
            Collector::Plain(body) => body,
            Collector::Zipped(mut decoder) => {
                let end = decoder.try_finish();
                if is_whole {
                    end?;
                }
                let Bounded { bytes, max } = decoder.get_mut();
                Bounded { bytes: std::mem::take(bytes), max: *max }
            }
        };
        if body.bytes.starts_with(BYTE_ORDER_MARK) {
            body.bytes.drain(..BYTE_ORDER_MARK.len());
        }
        Ok(match utf8_repair::repaired(&body.bytes, body.max) {
            Some(text) => Collected { bytes: text.into_bytes(), is_repaired: true },
            None => Collected { bytes: body.bytes, is_repaired: false },
        })
    }
}

impl From<io::Error> for BodyError {
    fn from(error: io::Error) -> BodyError {
        match error.kind() {
            FULL => BodyError::TooLarge,
            _ => BodyError::Damaged,
        }
    }
}

impl Write for Bounded {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        if (self.bytes.len() + part.len()) as u64 > self.max {
            return Err(FULL.into());
        }
        self.bytes.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn collected(parts: &[&[u8]], max: u64) -> Result<Vec<u8>, BodyError> {
        let mut collector = Collector::new(None, max);
        for part in parts {
            collector.take(part)?;
        }
        collector.finish(true).map(|body| body.bytes)
    }

    #[test]
    fn what_comes_out() {
        let text = b"0123456789".as_slice();
        let (one, two) = (gzip(text), [gzip(b"01234"), gzip(b""), gzip(b"56789")].concat());
        let marked = gzip(b"\xef\xbb\xbf0123456789");
        for (name, body, expected) in [
            ("plain", text, Ok(text)),
            ("one member", &*one, Ok(text)),
            ("several members", &*two, Ok(text)),
            ("a mark", b"\xef\xbb\xbf0123456789", Ok(text)),
            ("a mark, zipped", &*marked, Ok(text)),
            ("too long", b"0123456789abcd", Err(BodyError::TooLarge)),
            ("too long, zipped", &*[&*two, &*two].concat(), Err(BodyError::TooLarge)),
            ("cut in the last member", &two[..two.len() - 9], Err(BodyError::Damaged)),
            ("cut in its first bytes", &two[..12], Err(BodyError::Damaged)),
            ("cut behind its mark", &two[..2], Err(BodyError::Damaged)),
            ("something behind the last member", &*[&*one, text].concat(), Err(BodyError::Damaged)),
            ("nothing", b"", Ok(b"")),
            ("zipped nothing", &*gzip(b""), Ok(b"")),
        ] {
            assert_eq!(collected(&[body], 13).as_deref(), expected.as_deref(), "{name}");
        }
    }

    #[test]
    fn bytes_that_are_no_utf_8() {
        let finished = |body: &[u8]| {
            let mut collector = Collector::new(None, 100);
            collector.take(body).unwrap();
            collector.finish(true).unwrap()
        };
        let repaired = Collected { bytes: br#"["a\udcff"]"#.to_vec(), is_repaired: true };
        assert_eq!(finished(b"[\"a\xff\"]"), repaired);
        assert_eq!(finished(&gzip(b"[\"a\xff\"]")), repaired);
        let whole = Collected { bytes: "[\"é\"]".into(), is_repaired: false };
        assert_eq!(finished("[\"é\"]".as_bytes()), whole);
    }

    proptest! {
        #[test]
        fn parts_and_members_make_no_difference(
            body in "[a-z\u{feff}é]{0,100}", member in 1usize..100, part in 1usize..40, is_zipped in any::<bool>()
        ) {
            let zipped: Vec<u8> = match is_zipped {
                true => body.as_bytes().chunks(member).flat_map(gzip).collect(),
                false => body.clone().into_bytes(),
            };
            let parts: Vec<&[u8]> = zipped.chunks(part).collect();
            let expected = body.strip_prefix('\u{feff}').unwrap_or(&body);
            prop_assert_eq!(collected(&parts, 300), Ok(expected.as_bytes().to_vec()));
        }

        #[test]
        fn no_part_passes_for_the_whole(body in "[a-z]{1,200}", members in 1usize..4, lost in any::<prop::sample::Index>()) {
            let zipped: Vec<u8> = (0..members).flat_map(|_| gzip(body.as_bytes())).collect();
            let member = zipped.len() / members;
            let kept = 2 + lost.index(zipped.len() - 1);
            let whole = collected(&[&zipped[..kept]], 1000);
            prop_assert_eq!(whole.is_ok(), kept % member == 0);
        }
    }
}
