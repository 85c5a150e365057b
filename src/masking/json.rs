//! Hides what stands in JSON, and keeps the rest to the byte: digits of numbers, escapes, the order of members. Pure.

use super::profile::Node;
use super::rule::{Pseudonym, Rule};
use crate::record::{members, text};
use serde_json::value::RawValue;

/// What is shown of JSON text; `None`: nothing. An array stands for its elements, each of which is treated alike; one that
/// is not shown is left out, and so is an array within an array.
pub(super) fn masked(json: &str, node: &Node, pseudonym: Pseudonym<'_>) -> Option<String> {
    let value: &RawValue = serde_json::from_str(json).ok()?;
    of_value(value, node, pseudonym)
}

fn of_value(value: &RawValue, node: &Node, pseudonym: Pseudonym<'_>) -> Option<String> {
    match (node, value.get().as_bytes().first()?) {
        (Node::All(Rule::Keep), _) => Some(value.get().to_owned()),
        (Node::All(Rule::Drop), _) => None,
        (_, b'[') => {
            let elements: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
            let is_flat = |element: &&&RawValue| !element.get().starts_with('[');
            let shown = elements.iter().filter(is_flat).filter_map(|one| of_value(one, node, pseudonym));
            Some(format!("[{}]", shown.collect::<Vec<_>>().join(",")))
        }
        (Node::Members(named, others), b'{') => {
            let others = Node::All(*others);
            let shown = members(serde_json::Deserializer::from_str(value.get()), |name: &RawValue, value| {
                let node = text(name).and_then(|name| named.get(&*name)).unwrap_or(&others);
                of_value(value, node, pseudonym).map(|shown| format!("{}:{shown}", name.get()))
            });
            Some(format!("{{{}}}", shown.ok()?.into_iter().flatten().collect::<Vec<_>>().join(",")))
        }
        (Node::All(rule), b'"') => {
            let shown = rule.of_text(&text(value)?, pseudonym)?;
            serde_json::to_string(&shown).ok()
        }
        (Node::All(Rule::Hmac), b'-' | b'0'..=b'9') => {
            serde_json::to_string(&Rule::Hmac.of_text(value.get(), pseudonym)?).ok()
        }
        (Node::All(rule), b'-' | b'0'..=b'9') => {
            Some(rule.of_seconds(value.get().parse().ok()?)?.to_string())
        }
        // null says nothing; of an object or a truth value no other rule knows what to show.
        (Node::All(_), b'n') => Some(value.get().to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::masking::{Classes, FieldRule, Profile};
    use crate::record::Stream;
    use proptest::prelude::*;

    fn node(fields: &[(&str, Rule)]) -> Node {
        let fields: Vec<FieldRule> = fields
            .iter()
            .map(|(path, rule)| FieldRule {
                path: format!("events.properties.{path}").split('.').map(str::to_owned).collect(),
                rule: *rule,
            })
            .collect();
        let profile = Profile::new("p", "k".into(), Classes::default(), &fields).unwrap();
        let place = Stream::Events.columns().iter().position(|column| column.name == "properties").unwrap();
        profile.column(Stream::Events, place).clone()
    }

    fn shown(json: &str, fields: &[(&str, Rule)]) -> Option<String> {
        masked(json, &node(fields), &|text| format!("<{text}>"))
    }

    #[test]
    fn members_are_shown_by_their_rules_alone() {
        use Rule::{Domain, Drop, Hmac, Keep, Mask, Year};
        for (json, fields, expected) in [
            (r#"{"a":1,"b":2}"#, &[("a", Keep)][..], r#"{"a":1}"#),
            (
                r#"{"a": 1.50e2, "b": {"c" : "\u00e9", "d": 1}}"#,
                &[("a", Keep), ("b.c", Keep)],
                r#"{"a":1.50e2,"b":{"c":"\u00e9"}}"#,
            ),
            (r#"{"b":{"c":1,"d":2},"e":3}"#, &[("b.*", Keep), ("b.d", Drop)], r#"{"b":{"c":1}}"#),
            (r#"{"e":"J@x.y"}"#, &[("e", Hmac)], r#"{"e":"<j@x.y>"}"#),
            (r#"{"e":"J@x.y"}"#, &[("e", Mask)], r#"{"e":"J***@x.y"}"#),
            (r#"{"e":"J@x.y","f":null}"#, &[("*", Domain)], r#"{"e":"x.y","f":null}"#),
            (r#"{"e":12.50}"#, &[("e", Hmac)], r#"{"e":"<12.50>"}"#),
            (r#"{"e":1714564800,"f":1.5,"g":true}"#, &[("*", Year)], r#"{"e":1704067200}"#),
            (r#"{"e":[{"s":1,"t":2},3,[{"s":4}]]}"#, &[("e.s", Keep)], r#"{"e":[{"s":1}]}"#),
            (r#"{"e":["a@b.c",[1],{}]}"#, &[("e", Hmac)], r#"{"e":["<a@b.c>"]}"#),
            (r#"{"e":{"s":1}}"#, &[("e", Hmac)], "{}"),
            (r#"{"a":1,"\u0061":2}"#, &[("a", Keep)], r#"{"a":1,"\u0061":2}"#),
            (r#"[{"a":1,"b":2}]"#, &[("a", Keep)], r#"[{"a":1}]"#),
            ("{}", &[("a", Keep)], "{}"),
        ] {
            assert_eq!(shown(json, fields).as_deref(), Some(expected), "{json} {fields:?}");
        }
        assert_eq!(shown("\"text\"", &[("a", Keep)]), None);
        assert_eq!(shown("no json", &[("a", Keep)]), None);
        let deep = "[".repeat(50_000) + &"]".repeat(50_000);
        assert_eq!(shown(&format!("{{\"a\":{deep}}}"), &[("a", Hmac)]).as_deref(), Some(r#"{"a":[]}"#));
    }

    proptest! {
        /// Whatever comes: JSON comes out, and nothing of a member without a rule.
        #[test]
        fn what_has_no_rule_is_never_shown(names in prop::collection::vec("[a-d]", 1..6), depth in 1..4_usize) {
            let secret = "hidden-value";
            let json = names.iter().enumerate().fold(format!("\"{secret}\""), |inner, (n, name)| match n % 3 {
                0 => format!("{{\"{name}\":{inner},\"z\":[{inner}]}}"),
                1 => format!("[{inner},{inner}]"),
                _ => format!("{{\"{name}\":{inner}}}"),
            });
            let path = vec!["y"; depth].join(".");
            let shown = shown(&json, &[(&path, Rule::Keep), ("z.other", Rule::Keep)]);
            if let Some(shown) = &shown {
                prop_assert!(serde_json::from_str::<&RawValue>(shown).is_ok());
            }
            prop_assert!(!shown.unwrap_or_default().contains(secret));
        }
    }
}
