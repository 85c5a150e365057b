//! The schema of a table, as its log has it: JSON in Spark's form.

use crate::export::formats::of_tables;
use crate::record::Stream;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Struct {
    r#type: String,
    fields: Vec<Field>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Field {
    name: String,
    r#type: Value,
    nullable: bool,
    metadata: Map<String, Value>,
}

fn of_stream(stream: Stream) -> Struct {
    let fields = of_tables(stream).into_iter().map(|(name, kind)| Field {
        name,
        r#type: kind.into(),
        // Columns that are added later are NULL in older files.
        nullable: true,
        metadata: Map::new(),
    });
    Struct { r#type: "struct".to_owned(), fields: fields.collect() }
}

/// The schema of a stream's tables.
pub(super) fn schema(stream: Stream) -> String {
    serde_json::json!(of_stream(stream)).to_string()
}

/// What a table that has this schema needs now, where that is another one: columns are added, and none goes.
///
/// # Errors
/// When a column has another type there, with a sentence that says which.
pub(super) fn evolved(found: &str, stream: Stream) -> Result<Option<String>, String> {
    evolved_to(found, of_stream(stream))
}

fn evolved_to(found: &str, mut wanted: Struct) -> Result<Option<String>, String> {
    let found: Struct =
        serde_json::from_str(found).map_err(|error| format!("its schema can't be read: {error}"))?;
    for field in &found.fields {
        match wanted.fields.iter().find(|wanted| wanted.name == field.name) {
            Some(wanted) if wanted.r#type == field.r#type => {}
            Some(wanted) => {
                return Err(format!(
                    "its column {} has the type {}, not {}",
                    field.name, field.r#type, wanted.r#type
                ));
            }
            None => {
                let gone = Field { nullable: true, ..field.clone() };
                wanted.fields.push(gone);
            }
        }
    }
    let is_new = wanted.fields.len() > found.fields.len();
    Ok(is_new.then(|| serde_json::json!(wanted).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_added_and_none_goes() {
        let own = schema(Stream::Customers);
        assert!(
            own.starts_with(r#"{"fields":[{"metadata":{},"name":"_seq","nullable":true,"type":"long"}"#),
            "{own}"
        );
        assert_eq!(evolved(&own, Stream::Customers), Ok(None));

        let field = |name: &str, kind: &str| serde_json::json!({"name": name, "type": kind, "nullable": true, "metadata": {}});
        let of = |fields: &[Value]| serde_json::json!({"type": "struct", "fields": fields}).to_string();
        let (a, b, c) = (field("a", "long"), field("b", "string"), field("c", "timestamp"));
        let wanted = || serde_json::from_str(&of(&[a.clone(), b.clone()])).unwrap();
        for (found, expected) in [
            (of(&[a.clone(), b.clone()]), None),
            (of(&[b.clone(), a.clone()]), None),
            (of(&[a.clone(), b.clone(), c.clone()]), None),
            (of(std::slice::from_ref(&a)), Some(of(&[a.clone(), b.clone()]))),
            (of(&[a.clone(), c.clone()]), Some(of(&[a.clone(), b.clone(), c.clone()]))),
        ] {
            assert_eq!(evolved_to(&found, wanted()).unwrap(), expected, "{found}");
        }
        let error = evolved_to(&of(&[field("a", "string")]), wanted()).unwrap_err();
        assert_eq!(error, "its column a has the type \"string\", not \"long\"");
        assert!(evolved_to("{}", wanted()).is_err());
    }
}
