//! What a table's log says of a file's values, so that engines can pass it over: taken from the file itself, from the
//! statistics that its own end has, so that both say the same.
//!
//! Numbers and times have their least and greatest value, texts have none: ids are random, and of the others nobody
//! asks for a range. A time's are in milliseconds, which is what the protocol's readers expect: the least is rounded
//! down and the greatest up, so that the range never lies.

use crate::export::destination::Destination;
use crate::export::formats::of_tables;
use crate::record::Stream;
use jiff::Timestamp;
use parquet::file::metadata::{FooterTail, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::statistics::Statistics;
use serde_json::{Map, Value, json};
use std::io::{self, Read, Seek, SeekFrom};

/// Bytes at the end of a Parquet file that say how long its description is.
const TAIL: usize = 8;

/// The statistics of a file, as JSON text, and how many rows it has.
pub(super) fn statistics(
    destination: &dyn Destination,
    name: &str,
    stream: Stream,
) -> io::Result<(String, u64)> {
    let mut file = destination.open(name)?;
    let mut tail = [0; TAIL];
    file.seek(SeekFrom::End(-(TAIL as i64)))?;
    file.read_exact(&mut tail)?;
    let length = FooterTail::try_new(&tail).map_err(io::Error::other)?.metadata_length();
    let mut described = vec![0; length];
    file.seek(SeekFrom::End(-((TAIL + length) as i64)))?;
    file.read_exact(&mut described)?;
    let metadata = ParquetMetaDataReader::decode_metadata(&described).map_err(io::Error::other)?;
    let rows = metadata.file_metadata().num_rows().max(0).unsigned_abs();
    Ok((of_metadata(&metadata, &of_tables(stream)).to_string(), rows))
}

fn of_metadata(file: &ParquetMetaData, columns: &[(String, &str)]) -> Value {
    let (mut least, mut greatest, mut nulls) = (Map::new(), Map::new(), Map::new());
    for (place, (name, kind)) in columns.iter().enumerate() {
        let groups = file.row_groups().iter();
        let of_groups: Vec<_> = groups.filter_map(|group| group.columns().get(place)?.statistics()).collect();
        if of_groups.len() < file.num_row_groups() {
            continue;
        }
        let counts: Option<Vec<u64>> = of_groups.iter().map(|group| group.null_count_opt()).collect();
        if let Some(counts) = counts {
            nulls.insert(name.clone(), counts.iter().sum::<u64>().into());
        }
        if let Some((least_value, greatest_value)) = bounds(&of_groups).and_then(|bounds| shown(kind, bounds))
        {
            least.insert(name.clone(), least_value);
            greatest.insert(name.clone(), greatest_value);
        }
    }
    json!({
        "numRecords": file.file_metadata().num_rows(),
        "minValues": least,
        "maxValues": greatest,
        "nullCount": nulls,
    })
}

/// The least and the greatest number in all row groups; `None` where there is none, or they are no numbers.
fn bounds(groups: &[&Statistics]) -> Option<(i64, i64)> {
    let mut found = None;
    for group in groups {
        let Statistics::Int64(group) = group else { return None };
        let (Some(least), Some(greatest)) = (group.min_opt(), group.max_opt()) else { continue };
        let (so_least, so_greatest) = found.unwrap_or((*least, *greatest));
        found = Some((so_least.min(*least), so_greatest.max(*greatest)));
    }
    found
}

/// As the log has them. `None` for a time that it can't tell.
fn shown(kind: &str, (least, greatest): (i64, i64)) -> Option<(Value, Value)> {
    const MILLISECOND: i64 = 1_000;
    match kind {
        "long" => Some((least.into(), greatest.into())),
        "timestamp" => {
            let up = greatest.checked_add(MILLISECOND - 1)?.div_euclid(MILLISECOND);
            let text = |at: i64| {
                let at = Timestamp::from_millisecond(at).ok()?;
                // Four digits of a year are all that readers take.
                Some(format!("{at:.3}")).filter(|text| text.len() == "2024-05-01T12:00:00.000Z".len())
            };
            Some((text(least.div_euclid(MILLISECOND))?.into(), text(up)?.into()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_never_lies() {
        for (kind, bounds, expected) in [
            ("long", (-3, i64::MAX), Some((json!(-3), json!(i64::MAX)))),
            ("string", (1, 2), None),
            (
                "timestamp",
                (0, 0),
                Some((json!("1970-01-01T00:00:00.000Z"), json!("1970-01-01T00:00:00.000Z"))),
            ),
            (
                "timestamp",
                (-1, 1),
                Some((json!("1969-12-31T23:59:59.999Z"), json!("1970-01-01T00:00:00.001Z"))),
            ),
            (
                "timestamp",
                (-62_135_596_800_000_000, 253_402_207_200_000_000),
                Some((json!("0001-01-01T00:00:00.000Z"), json!("9999-12-30T22:00:00.000Z"))),
            ),
            // The last two days of the year 9999 are beyond our own instants.
            ("timestamp", (0, 253_402_300_799_999_001), None),
            ("timestamp", (0, i64::MAX), None),
        ] {
            assert_eq!(shown(kind, bounds), expected, "{kind} {bounds:?}");
        }
    }
}
