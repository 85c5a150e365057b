//! An answer's body, unzipped as it comes and never larger than allowed.

use flate2::write::MultiGzDecoder;
use reqwest::header::{CONTENT_ENCODING, HeaderMap};
use std::io::{self, Write};

/// Memory set aside for a body before it comes, at most.
const MAX_RESERVED: u64 = 256 << 10;

/// U+FEFF, as some servers and tools put it before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Why a body can't be taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// It is longer than allowed.
    TooLarge,
    /// What it was zipped to ends too early, or isn't gzip at all.
    Damaged,
}

/// Takes a body part by part.
pub(super) enum Collector {
    Plain(Bounded),
    /// RFC 1952 section 2.2: a file is one member or several, one after the other.
    Zipped {
        decoder: Box<MultiGzDecoder<Bounded>>,
        /// Nothing at all has come, and nothing is no gzip.
        is_empty: bool,
    },
}

/// Holds so many bytes at most.
pub(super) struct Bounded {
    bytes: Vec<u8>,
    max: u64,
    is_full: bool,
}

impl Collector {
    /// For a body that these headers come with; `length` is what they say of its length.
    pub(super) fn new(headers: &HeaderMap, length: Option<u64>, max: u64) -> Collector {
        // What the header says is only believed so far.
        let expected = length.unwrap_or_default().min(MAX_RESERVED);
        let body = Bounded { bytes: Vec::with_capacity(expected as usize), max, is_full: false };
        match is_zipped(headers) {
            true => Collector::Zipped { decoder: Box::new(MultiGzDecoder::new(body)), is_empty: true },
            false => Collector::Plain(body),
        }
    }

    /// Takes the next part.
    pub(super) fn take(&mut self, part: &[u8]) -> Result<(), Unfit> {
        match self {
            Collector::Plain(body) => body.write_all(part).map_err(|_| Unfit::TooLarge),
            Collector::Zipped { decoder, is_empty } => {
                *is_empty &= part.is_empty();
                decoder.write_all(part).map_err(|_| fault(decoder.get_ref()))
            }
        }
    }

    /// The whole body, without a byte order mark, which a reader of JSON may ignore (RFC 8259 section 8.1). `is_whole` where
    /// its end has come: then it must be the end of what it was zipped to as well.
    pub(super) fn finish(self, is_whole: bool) -> Result<Vec<u8>, Unfit> {
        let mut body = match self {
            Collector::Plain(body) => body.bytes,
            Collector::Zipped { is_empty: true, .. } => Vec::new(),
            Collector::Zipped { mut decoder, .. } => {
                let end = decoder.try_finish();
                if is_whole && end.is_err() {
                    return Err(fault(decoder.get_ref()));
                }
                std::mem::take(&mut decoder.get_mut().bytes)
            }
        };
        if body.starts_with(BYTE_ORDER_MARK) {
            body.drain(..BYTE_ORDER_MARK.len());
        }
        Ok(body)
    }
}

/// RFC 9110 section 8.4.1.3: `x-gzip` is the same.
fn is_zipped(headers: &HeaderMap) -> bool {
    let encoding = headers.get(CONTENT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    ["gzip", "x-gzip"].iter().any(|name| encoding.trim().eq_ignore_ascii_case(name))
}

fn fault(body: &Bounded) -> Unfit {
    if body.is_full { Unfit::TooLarge } else { Unfit::Damaged }
}

impl Write for Bounded {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        if (self.bytes.len() + part.len()) as u64 > self.max {
            self.is_full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
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
    use reqwest::header::HeaderValue;

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn collected(encoding: Option<&'static str>, parts: &[&[u8]], max: u64) -> Result<Vec<u8>, Unfit> {
        let headers = encoding.map(|encoding| (CONTENT_ENCODING, HeaderValue::from_static(encoding)));
        let mut collector = Collector::new(&headers.into_iter().collect(), None, max);
        for part in parts {
            collector.take(part)?;
        }
        collector.finish(true)
    }

    #[test]
    fn what_comes_out() {
        let text = b"0123456789".as_slice();
        let (one, two) = (gzip(text), [gzip(b"01234"), gzip(b""), gzip(b"56789")].concat());
        let marked = gzip(b"\xef\xbb\xbf0123456789");
        for (name, encoding, body, expected) in [
            ("plain", None, text, Ok(text)),
            ("another encoding", Some("br"), text, Ok(text)),
            ("one member", Some("gzip"), &*one, Ok(text)),
            ("one member, by its old name", Some(" X-GZIP"), &*one, Ok(text)),
            ("several members", Some("gzip"), &*two, Ok(text)),
            ("a mark", None, b"\xef\xbb\xbf0123456789", Ok(text)),
            ("a mark, zipped", Some("gzip"), &*marked, Ok(text)),
            ("too long", None, b"0123456789abcd", Err(Unfit::TooLarge)),
            ("too long, zipped", Some("gzip"), &*[&*two, &*two].concat(), Err(Unfit::TooLarge)),
            ("cut in the last member", Some("gzip"), &two[..two.len() - 9], Err(Unfit::Damaged)),
            ("cut in its first bytes", Some("gzip"), &two[..12], Err(Unfit::Damaged)),
            ("not zipped", Some("gzip"), text, Err(Unfit::Damaged)),
            ("something behind the last member", Some("gzip"), &*[&*one, text].concat(), Err(Unfit::Damaged)),
            ("nothing", None, b"", Ok(b"")),
            ("nothing, said to be zipped", Some("gzip"), b"", Ok(b"")),
        ] {
            assert_eq!(collected(encoding, &[body], 13).as_deref(), expected.as_deref(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn parts_and_members_make_no_difference(
            body in prop::collection::vec(any::<u8>(), 0..300), member in 1usize..100, part in 1usize..40
        ) {
            let zipped: Vec<u8> = body.chunks(member).flat_map(gzip).collect();
            let parts: Vec<&[u8]> = zipped.chunks(part).collect();
            let expected = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&body);
            prop_assert_eq!(collected(Some("gzip"), &parts, 300), Ok(expected.to_vec()));
        }

        #[test]
        fn no_part_passes_for_the_whole(body in "[a-z]{1,200}", members in 1usize..4, lost in any::<prop::sample::Index>()) {
            let zipped: Vec<u8> = (0..members).flat_map(|_| gzip(body.as_bytes())).collect();
            let member = zipped.len() / members;
            let kept = lost.index(zipped.len() - 1) + 1;
            let whole = collected(Some("gzip"), &[&zipped[..kept]], 1000);
            prop_assert_eq!(whole.is_ok(), kept % member == 0);
        }
    }
}
