//! Which properties the events of a type have, and what is in them.
//!
//! Objects are flattened: a place is named by its path, as SQLite's `->>` takes it. Each place has a set of the kinds of JSON
//! values that were ever seen there, and that decides the type of its column.

use super::names::snake_case;
use crate::record::{members, text};
use serde_json::value::RawValue;
use std::fmt;

/// Objects within more objects than this are kept as they are.
const LEVELS: usize = 5;

/// So many places are told apart in the properties of a type. Objects may have identifiers for names.
const PLACES_AT_MOST: usize = 1_000;

/// The most digits of a decimal number that a floating-point number holds whole.
const EXACT_DIGITS: usize = 15;

/// What a column of a view holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// 64-bit integers.
    Integer,
    /// Numbers, some with a fraction. A text such as "12.30" counts as one.
    Real,
    /// 0 or 1.
    Boolean,
    /// Texts. Of other values their JSON text.
    Text,
    /// JSON texts of arrays and objects.
    Json,
}

impl ColumnType {
    const ALL: [(ColumnType, &str); 5] = [
        (ColumnType::Integer, "integer"),
        (ColumnType::Real, "real"),
        (ColumnType::Boolean, "boolean"),
        (ColumnType::Text, "text"),
        (ColumnType::Json, "json"),
    ];

    /// The name in the mirror's table.
    pub fn name(self) -> &'static str {
        ColumnType::ALL.iter().find(|(one, _)| *one == self).map_or("", |(_, name)| name)
    }

    /// The type of that name.
    pub fn from_name(name: &str) -> Option<ColumnType> {
        ColumnType::ALL.iter().find(|(_, one)| *one == name).map(|(column, _)| *column)
    }
}

/// A set of kinds of JSON values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JsonTypes(u16);

impl JsonTypes {
    const NULL: JsonTypes = JsonTypes(1);
    const BOOLEAN: JsonTypes = JsonTypes(2);
    const INTEGER: JsonTypes = JsonTypes(4);
    const REAL: JsonTypes = JsonTypes(8);
    /// A text that is a number with a fraction.
    const DECIMAL: JsonTypes = JsonTypes(16);
    /// A number that neither a 64-bit integer nor a floating-point number holds whole.
    const LARGE: JsonTypes = JsonTypes(32);
    const TEXT: JsonTypes = JsonTypes(64);
    const ARRAY: JsonTypes = JsonTypes(128);
    /// An object that isn't flattened: it is empty, or too deep.
    const OBJECT: JsonTypes = JsonTypes(256);

    const ALL: [(JsonTypes, &str); 9] = [
        (JsonTypes::NULL, "null"),
        (JsonTypes::BOOLEAN, "boolean"),
        (JsonTypes::INTEGER, "integer"),
        (JsonTypes::REAL, "real"),
        (JsonTypes::DECIMAL, "decimal"),
        (JsonTypes::LARGE, "large"),
        (JsonTypes::TEXT, "text"),
        (JsonTypes::ARRAY, "array"),
        (JsonTypes::OBJECT, "object"),
    ];

    /// Both sets together.
    #[must_use]
    pub fn with(self, more: JsonTypes) -> JsonTypes {
        JsonTypes(self.0 | more.0)
    }

    fn has(self, any: JsonTypes) -> bool {
        self.0 & any.0 != 0
    }

    /// Whether all of these are among `any`, besides null.
    fn are_among(self, any: JsonTypes) -> bool {
        self.0 & !any.with(JsonTypes::NULL).0 == 0
    }

    /// The set whose [`Display`](fmt::Display) form this is; names that aren't known are left out.
    pub fn from_names(names: &str) -> JsonTypes {
        let known = JsonTypes::ALL.iter().filter(|(_, name)| names.split(',').any(|one| one == *name));
        known.fold(JsonTypes::default(), |all, (one, _)| all.with(*one))
    }

    /// Whether nothing but null was ever there: the type of such a column may still become any.
    pub fn is_null_alone(self) -> bool {
        self.are_among(JsonTypes::default())
    }

    /// The type of the column that holds all of these. Identifiers are texts, whatever they look like.
    pub fn column_type(self, is_identifier: bool) -> ColumnType {
        if self.is_null_alone() || is_identifier {
            return ColumnType::Text;
        }
        let numbers = JsonTypes::INTEGER.with(JsonTypes::REAL).with(JsonTypes::DECIMAL);
        if self.are_among(JsonTypes::INTEGER) {
            ColumnType::Integer
        } else if self.are_among(numbers) {
            ColumnType::Real
        } else if self.are_among(JsonTypes::BOOLEAN) {
            ColumnType::Boolean
        } else if self.are_among(JsonTypes::ARRAY.with(JsonTypes::OBJECT)) {
            ColumnType::Json
        } else {
            ColumnType::Text
        }
    }

    /// Whether every value is a JSON text or null, so that no other value's JSON text is asked for.
    pub fn are_texts(self) -> bool {
        self.are_among(JsonTypes::TEXT.with(JsonTypes::DECIMAL))
    }

    /// Whether there are arrays or objects among these.
    pub fn have_structure(self) -> bool {
        self.has(JsonTypes::ARRAY.with(JsonTypes::OBJECT))
    }

    fn of(value: &RawValue) -> JsonTypes {
        let json = value.get();
        match json.as_bytes().first() {
            Some(b'n') => JsonTypes::NULL,
            Some(b't' | b'f') => JsonTypes::BOOLEAN,
            Some(b'[') => JsonTypes::ARRAY,
            Some(b'{') => JsonTypes::OBJECT,
            Some(b'"') => {
                let is_decimal = json.get(1..json.len() - 1).is_some_and(is_decimal);
                if is_decimal { JsonTypes::DECIMAL } else { JsonTypes::TEXT }
            }
            _ if json.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') => {
                if json.parse::<i64>().is_ok() { JsonTypes::INTEGER } else { JsonTypes::LARGE }
            }
            _ if is_whole_as_float(json) => JsonTypes::REAL,
            _ => JsonTypes::LARGE,
        }
    }
}

/// The names in one order, with commas between.
impl fmt::Display for JsonTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> =
            JsonTypes::ALL.iter().filter(|(one, _)| self.has(*one)).map(|(_, name)| *name).collect();
        f.write_str(&names.join(","))
    }
}

/// Whether a text is written as amounts of money are: with a point and digits around it, without needless zeros in front.
/// Codes and telephone numbers have none.
fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.len() > EXACT_DIGITS + 1 {
        return false;
    }
    let Some((whole, fraction)) = digits.split_once('.') else { return false };
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    are_digits(whole) && are_digits(fraction) && (whole == "0" || !whole.starts_with('0'))
}

fn is_whole_as_float(json: &str) -> bool {
    let mantissa = json.split(['e', 'E']).next().unwrap_or_default();
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    digits <= EXACT_DIGITS && json.parse::<f64>().is_ok_and(f64::is_finite)
}

/// What was counted of the properties of a type.
#[derive(Debug, Default)]
pub struct Properties {
    root: Place,
    places: usize,
    is_cut_off: bool,
}

/// A place in the properties.
#[derive(Debug, Default)]
struct Place {
    types: JsonTypes,
    /// By how many events more have it.
    rows: i64,
    members: Vec<(String, Place)>,
}

/// What was counted of one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Where it is.
    pub path: String,
    /// The names that lead there, with underscores between.
    pub name: String,
    /// What the last of them says: whether the values are identifiers.
    pub is_identifier: bool,
    /// Whether `path` finds it: no name in it is one that a path can't hold.
    pub is_reachable: bool,
    /// What was seen there in events that came in. Empty: only events that had it went.
    pub types: JsonTypes,
    /// By how many events more have it than before.
    pub rows: i64,
}

impl Properties {
    /// Counts an event that came in.
    pub fn came(&mut self, properties: &str) {
        self.count(properties, 1);
    }

    /// Counts an event that went, or whose properties were others until now.
    pub fn went(&mut self, properties: &str) {
        self.count(properties, -1);
    }

    /// Whether there were more places than are told apart.
    pub fn is_cut_off(&self) -> bool {
        self.is_cut_off
    }

    fn count(&mut self, properties: &str, rows: i64) {
        let mut count = Count { rows, places: self.places, is_cut_off: self.is_cut_off };
        let is_object = properties.starts_with('{') && count.object(&mut self.root, properties, 0);
        if !is_object && let Ok(value) = serde_json::from_str(properties) {
            count.leaf(&mut self.root, value);
        }
        (self.places, self.is_cut_off) = (count.places, count.is_cut_off);
    }

    /// Everything that was counted, parents before what is in them.
    pub fn seen(&self) -> Vec<Seen> {
        let mut seen = Vec::new();
        let root = Seen {
            path: "$".to_owned(),
            name: String::new(),
            is_identifier: false,
            is_reachable: true,
            types: JsonTypes::default(),
            rows: 0,
        };
        tell(&self.root, &root, &mut seen);
        seen
    }
}

fn tell(place: &Place, at: &Seen, seen: &mut Vec<Seen>) {
    if place.rows != 0 || place.types != JsonTypes::default() {
        seen.push(Seen { types: place.types, rows: place.rows, ..at.clone() });
    }
    for (name, inner) in &place.members {
        let is_plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let step = if is_plain { format!(".{name}") } else { format!(".\"{name}\"") };
        let snake = snake_case(name);
        let inner_at = Seen {
            path: format!("{}{step}", at.path),
            name: if at.name.is_empty() { name.clone() } else { format!("{}_{name}", at.name) },
            is_identifier: snake == "id" || snake.ends_with("_id"),
            is_reachable: at.is_reachable && !name.contains(['"', '\\']) && !name.contains(char::is_control),
            ..at.clone()
        };
        tell(inner, &inner_at, seen);
    }
}

/// One event that is counted.
struct Count {
    rows: i64,
    places: usize,
    is_cut_off: bool,
}

impl Count {
    fn value(&mut self, place: &mut Place, value: &RawValue, level: usize) {
        let json = value.get();
        if json.starts_with('{') && level < LEVELS && self.object(place, json, level) {
            return;
        }
        self.leaf(place, value);
    }

    fn leaf(&self, place: &mut Place, value: &RawValue) {
        place.rows += self.rows;
        if self.rows > 0 {
            place.types = place.types.with(JsonTypes::of(value));
        }
    }

    /// Counts the members; `false` if there are none.
    fn object(&mut self, place: &mut Place, json: &str, level: usize) -> bool {
        // Mostly all events of a type have the same members in the same order.
        let mut next = 0;
        let mut is_empty = true;
        let counted = members(serde_json::Deserializer::from_str(json), |name, value| {
            is_empty = false;
            let name = text(name).unwrap_or_default();
            if let Some(inner) = self.member(place, &name, &mut next) {
                self.value(inner, value, level + 1);
            }
        });
        counted.is_ok() && !is_empty
    }

    /// The place of that name, which is looked for at `next` first; `None` if there are too many.
    fn member<'p>(&mut self, place: &'p mut Place, name: &str, next: &mut usize) -> Option<&'p mut Place> {
        let is_here = place.members.get(*next).is_some_and(|(here, _)| here == name);
        let found = if is_here { Some(*next) } else { place.members.iter().position(|(one, _)| one == name) };
        let at = match found {
            Some(at) => at,
            None if self.places >= PLACES_AT_MOST => {
                self.is_cut_off = true;
                return None;
            }
            None => {
                self.places += 1;
                place.members.push((name.to_string(), Place::default()));
                place.members.len() - 1
            }
        };
        *next = at + 1;
        place.members.get_mut(at).map(|(_, inner)| inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(events: &[&str]) -> Vec<(String, String, i64)> {
        let mut properties = Properties::default();
        events.iter().for_each(|event| properties.came(event));
        let told = properties.seen().into_iter();
        told.map(|seen| (seen.path, seen.types.to_string(), seen.rows)).collect()
    }

    fn told(path: &str, types: &str, rows: i64) -> (String, String, i64) {
        (path.to_owned(), types.to_owned(), rows)
    }

    #[test]
    fn objects_are_flattened() {
        let found = seen(&[
            r#"{"shopify_order":{"id":"5","total_price":"12.30","items":[1,2]},"n":1}"#,
            r#"{"n":2.5,"shopify_order":{"id":7,"total_price":null},"odd key":true,"empty":{}}"#,
        ]);
        assert_eq!(
            found,
            [
                told("$.shopify_order.id", "integer,text", 2),
                told("$.shopify_order.total_price", "null,decimal", 2),
                told("$.shopify_order.items", "array", 1),
                told("$.n", "integer,real", 2),
                told("$.\"odd key\"", "boolean", 1),
                told("$.empty", "object", 1),
            ]
        );
    }

    #[test]
    fn what_is_no_object_stands_at_the_root() {
        assert_eq!(seen(&["[1]", "7", "\"text\""]), [told("$", "integer,text,array", 3)]);
        assert_eq!(seen(&["{}"]), [told("$", "object", 1)]);
        assert_eq!(
            seen(&[r#"{"a":{"b":1}}"#, r#"{"a":5}"#]),
            [told("$.a", "integer", 1), told("$.a.b", "integer", 1)]
        );
    }

    #[test]
    fn kinds_of_values() {
        for (json, expected) in [
            ("12", "integer"),
            ("-0", "integer"),
            ("9223372036854775807", "integer"),
            ("9223372036854775808", "large"),
            ("12.30", "real"),
            ("1e3", "real"),
            ("1e400", "large"),
            ("0.12345678901234567", "large"),
            (r#""12.30""#, "decimal"),
            (r#""-0.5""#, "decimal"),
            (r#""12""#, "text"),
            (r#""012.30""#, "text"),
            (r#""1.2.3""#, "text"),
            (r#"".5""#, "text"),
            (r#""94001.2345678901234567""#, "text"),
            ("null", "null"),
            ("false", "boolean"),
        ] {
            assert_eq!(seen(&[&format!(r#"{{"a":{json}}}"#)])[0].1, expected, "{json}");
        }
    }

    #[test]
    fn the_type_of_a_column_holds_all_that_was_seen() {
        use ColumnType::{Boolean, Integer, Json, Real, Text};
        for (types, expected) in [
            ("null", Text),
            ("integer", Integer),
            ("null,integer", Integer),
            ("integer,real", Real),
            ("decimal", Real),
            ("integer,decimal", Real),
            ("decimal,text", Text),
            ("integer,text", Text),
            ("large", Text),
            ("boolean", Boolean),
            ("boolean,integer", Text),
            ("array,object", Json),
            ("text,array", Text),
        ] {
            let set = JsonTypes::from_names(types);
            assert_eq!((set.to_string().as_str(), set.column_type(false)), (types, expected));
            assert_eq!(set.column_type(true), Text);
            assert_eq!(ColumnType::from_name(expected.name()), Some(expected));
        }
    }

    #[test]
    fn identifiers_and_names_that_no_path_holds() {
        let mut properties = Properties::default();
        properties.came(r#"{"id":1,"orderID":2,"paid":3,"a\"b":{"id":4},"":5,"caf\u00e9":6}"#);
        let told: Vec<(String, bool, bool)> = properties
            .seen()
            .into_iter()
            .map(|seen| (seen.name, seen.is_identifier, seen.is_reachable))
            .collect();
        let expected = [
            ("id", true, true),
            ("orderID", true, true),
            ("paid", false, true),
            ("a\"b_id", true, false),
            ("", false, true),
            ("café", false, true),
        ];
        assert_eq!(told, expected.map(|(name, id, reach)| (name.to_owned(), id, reach)));
    }

    #[test]
    fn what_goes_is_counted_off_and_leaves_no_kind() {
        let mut properties = Properties::default();
        properties.came(r#"{"a":1}"#);
        properties.went(r#"{"a":"x","b":true}"#);
        let told: Vec<(String, String, i64)> = properties
            .seen()
            .into_iter()
            .map(|seen| (seen.path, seen.types.to_string(), seen.rows))
            .collect();
        assert_eq!(
            told,
            [("$.a".to_owned(), "integer".to_owned(), 0), ("$.b".to_owned(), String::new(), -1)]
        );
    }

    #[test]
    fn depth_and_number_are_bounded() {
        let deep = format!("{}1{}", r#"{"a":"#.repeat(100), "}".repeat(100));
        assert_eq!(seen(&[&deep]), [told("$.a.a.a.a.a", "object", 1)]);
        let mut properties = Properties::default();
        let wide: Vec<String> = (0..2_000).map(|n| format!("\"m{n}\":{n}")).collect();
        properties.came(&format!("{{{}}}", wide.join(",")));
        assert!(properties.is_cut_off());
        assert_eq!(properties.seen().len(), PLACES_AT_MOST);
    }
}
