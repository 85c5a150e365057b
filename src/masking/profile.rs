//! Which rule holds for which value: by what the dictionary says of a column, and by the path of a field. Pure.

use super::rule::Rule;
use crate::nearest::{nearest, spelling};
use crate::record::{Column, ColumnKind, Personal, Stream};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

/// The name that stands for no profile: nothing is hidden.
pub const FULL: &str = "full";

/// What is shown of the columns of each kind, where no field says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Classes {
    /// Columns that tell nothing about a person.
    pub none: Rule,
    /// Identifiers and names.
    pub direct_identifier: Rule,
    /// Addresses and numbers.
    pub contact: Rule,
    /// Text and JSON in which anything may stand.
    pub free_text: Rule,
}

impl Default for Classes {
    /// What tells nothing about a person is kept. Keys are pseudonyms all the same: see [`Profile::new`].
    fn default() -> Classes {
        Classes {
            none: Rule::Keep,
            direct_identifier: Rule::Drop,
            contact: Rule::Drop,
            free_text: Rule::Drop,
        }
    }
}

impl Classes {
    fn of(&self, personal: Personal) -> Rule {
        match personal {
            Personal::None => self.none,
            Personal::DirectIdentifier => self.direct_identifier,
            Personal::Contact => self.contact,
            Personal::FreeText => self.free_text,
        }
    }
}

/// The rule of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldRule {
    /// The stream, the column, and in a JSON column the members that lead to the field. `*` as the last one: all members
    /// there that no other rule names.
    pub path: Vec<String>,
    /// What is done with it.
    pub rule: Rule,
}

/// What is wrong with the rule of a field, as a part of a sentence, with the nearest known name where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Which of the field's path is meant.
    pub path: Vec<String>,
    /// What is wrong.
    pub what: String,
}

/// What of the rows of every stream is shown. The key under which pseudonyms are made stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// What it is called in the configuration.
    pub name: String,
    /// The file with the key, which is made where there is none.
    pub key_file: PathBuf,
    /// Of each stream's columns, in their order.
    columns: Vec<Vec<Node>>,
}

/// What is done with a value, and where it is a JSON object with its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// The same with all of it.
    All(Rule),
    /// By the member's name, and with every other one.
    Members(BTreeMap<String, Node>, Rule),
}

/// Stands for every member that is not named.
const OTHERS: &str = "*";

impl Profile {
    /// Puts a profile together. What no rule names is shown by the class of its column; members of JSON that no rule
    /// names are dropped. A key of a record can't be dropped, since rows would be of nobody: it becomes a pseudonym where
    /// its class says anything but `keep`.
    ///
    /// # Errors
    /// When a path leads nowhere, or a rule can't be used for what it leads to: all that is wrong.
    pub fn new(
        name: &str,
        key_file: PathBuf,
        classes: Classes,
        fields: &[FieldRule],
    ) -> Result<Profile, Vec<FieldError>> {
        let by_class = |stream: Stream| {
            let of = |(n, column): (usize, &Column)| {
                Node::All(by_class(&classes, column, n < stream.keys().len()))
            };
            stream.columns().iter().enumerate().map(of).collect()
        };
        let mut profile = Profile { name: name.to_owned(), key_file, columns: Vec::new() };
        profile.columns = Stream::ALL.into_iter().map(by_class).collect();
        let errors: Vec<FieldError> = fields
            .iter()
            .filter_map(|field| profile.set(field).err().map(|what| wrong(field, what)))
            .collect();
        if errors.is_empty() { Ok(profile) } else { Err(errors) }
    }

    /// What is done with a column.
    pub(super) fn column(&self, stream: Stream, column: usize) -> &Node {
        self.columns.get(stream.index()).and_then(|of| of.get(column)).unwrap_or(&Node::All(Rule::Drop))
    }

    /// All rules, a line each: what a profile is known by, however it was written.
    pub(super) fn rules(&self) -> String {
        let mut text = String::new();
        for stream in Stream::ALL {
            for (n, column) in stream.columns().iter().enumerate() {
                write_rules(&mut text, &format!("{stream}.{}", column.name), self.column(stream, n));
            }
        }
        text
    }

    fn set(&mut self, field: &FieldRule) -> Result<(), String> {
        let [stream, column, members @ ..] = &field.path[..] else {
            return Err("a field is named by its stream and its column, such as customers.email".to_owned());
        };
        let names = || Stream::ALL.iter().map(|stream| stream.name());
        let stream = Stream::from_name(stream).ok_or_else(|| unknown("stream", stream, names()))?;
        let place = stream.columns().iter().position(|one| one.name == column);
        let place =
            place.ok_or_else(|| unknown("column", column, stream.columns().iter().map(|one| one.name)))?;
        let node = self.columns.get_mut(stream.index()).and_then(|of| of.get_mut(place));
        let (Some(node), Some(column)) = (node, stream.columns().get(place)) else { return Ok(()) };
        if members.is_empty() {
            check(field.rule, column, place < stream.keys().len())?;
            *node = Node::All(field.rule);
        } else if column.kind == ColumnKind::Json {
            node.set(members, field.rule);
        } else {
            return Err(format!("{}.{} is no JSON: it has no members", stream, column.name));
        }
        Ok(())
    }
}

impl Node {
    fn set(&mut self, members: &[String], rule: Rule) {
        let Some((first, rest)) = members.split_first() else {
            *self = Node::All(rule);
            return;
        };
        if !matches!(self, Node::Members(..)) {
            *self = Node::Members(BTreeMap::new(), Rule::Drop);
        }
        if let Node::Members(named, others) = self {
            match (&**first, rest) {
                (OTHERS, []) => *others = rule,
                _ => named.entry(first.clone()).or_insert(Node::All(Rule::Drop)).set(rest, rule),
            }
        }
    }
}

fn by_class(classes: &Classes, column: &Column, is_key: bool) -> Rule {
    match classes.of(column.personal) {
        rule if check(rule, column, is_key).is_ok() => rule,
        _ if is_key => Rule::Hmac,
        _ => Rule::Drop,
    }
}

/// Whether a rule can be used for a whole column.
fn check(rule: Rule, column: &Column, is_key: bool) -> Result<(), String> {
    let possible: &[Rule] = match column.kind {
        _ if is_key => &[Rule::Keep, Rule::Hmac],
        ColumnKind::Text => &Rule::ALL,
        ColumnKind::Time | ColumnKind::Integer => &[Rule::Keep, Rule::Drop, Rule::Year],
        ColumnKind::Json => &[Rule::Keep, Rule::Drop],
    };
    if possible.contains(&rule) {
        return Ok(());
    }
    let names: Vec<&str> = possible.iter().map(|rule| rule.name()).collect();
    let why = match column.kind {
        _ if is_key => "it names the record",
        ColumnKind::Json => "it is JSON, whose members have rules of their own",
        _ => "it holds times",
    };
    Err(format!("{} can't be {}: {why}, so it is one of: {}", column.name, rule.name(), names.join(", ")))
}

fn wrong(field: &FieldRule, what: String) -> FieldError {
    FieldError { path: field.path.clone(), what }
}

fn unknown<'n>(what: &str, name: &str, known: impl Iterator<Item = &'n str> + Clone) -> String {
    match nearest(known.clone(), |known| spelling(name, known)) {
        Some(nearest) => format!("there is no {what} {name}; the nearest known one is {nearest}"),
        None => format!("there is no {what} {name}; there are {}", known.collect::<Vec<_>>().join(", ")),
    }
}

fn write_rules(text: &mut String, path: &str, node: &Node) {
    match node {
        Node::All(rule) => {
            // Writing to a text can't fail.
            let _ = writeln!(text, "{path} = {}", rule.name());
        }
        Node::Members(named, others) => {
            named.iter().for_each(|(name, node)| write_rules(text, &format!("{path}.{name:?}"), node));
            write_rules(text, &format!("{path}.{OTHERS}"), &Node::All(*others));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(path: &str, rule: Rule) -> FieldRule {
        FieldRule { path: path.split('.').map(str::to_owned).collect(), rule }
    }

    fn profile(classes: Classes, fields: &[FieldRule]) -> Result<Profile, Vec<FieldError>> {
        Profile::new("p", PathBuf::from("k"), classes, fields)
    }

    #[test]
    fn without_a_rule_the_class_decides_and_keys_stay_keys() {
        let rules = profile(Classes::default(), &[]).unwrap().rules();
        for line in [
            "customers.id = hmac",
            "customers.email = drop",
            "customers.first_name = drop",
            "customers.created_at = keep",
            "events.customer_id = hmac",
            "events.type = keep",
            "events.label = drop",
            "events.timestamp = keep",
            "events.properties = drop",
            "events.extra = drop",
        ] {
            assert!(rules.lines().any(|one| one == line), "{line}: {rules}");
        }
        let all = |rule| Classes { none: rule, direct_identifier: rule, contact: rule, free_text: rule };
        let kept = profile(all(Rule::Keep), &[]).unwrap().rules();
        assert!(kept.lines().all(|line| line.ends_with(" = keep")), "{kept}");
        // A class takes a rule where the column can: else nothing is shown.
        let years = profile(all(Rule::Year), &[]).unwrap().rules();
        for line in ["customers.id = hmac", "events.properties = drop", "events.timestamp = year"] {
            assert!(years.lines().any(|one| one == line), "{line}: {years}");
        }
    }

    #[test]
    fn fields_have_the_last_word() {
        let fields = [
            field("customers.email", Rule::Domain),
            field("events.customer_id", Rule::Keep),
            field("events.properties.order.total", Rule::Keep),
            field("events.properties.order.*", Rule::Hmac),
            field("events.properties.status", Rule::Keep),
        ];
        let rules = profile(Classes::default(), &fields).unwrap().rules();
        for line in [
            "customers.email = domain",
            "events.customer_id = keep",
            "events.properties.\"order\".\"total\" = keep",
            "events.properties.\"order\".* = hmac",
            "events.properties.\"status\" = keep",
            "events.properties.* = drop",
        ] {
            assert!(rules.lines().any(|one| one == line), "{line}: {rules}");
        }
    }

    #[test]
    fn rules_that_can_t_be_are_told() {
        for (path, rule, expected) in [
            ("customers", Rule::Keep, "a field is named by its stream and its column"),
            ("customer.email", Rule::Keep, "there is no stream customer; the nearest known one is customers"),
            ("customers.emial", Rule::Keep, "there is no column emial; the nearest known one is email"),
            ("customers.zzz", Rule::Keep, "there is no column zzz; there are id, email"),
            ("customers.email.x", Rule::Keep, "customers.email is no JSON"),
            (
                "customers.id",
                Rule::Drop,
                "id can't be drop: it names the record, so it is one of: keep, hmac",
            ),
            ("events.timestamp", Rule::Hmac, "timestamp can't be hmac: it holds times"),
            ("events.properties", Rule::Mask, "properties can't be mask: it is JSON"),
        ] {
            let errors = profile(Classes::default(), &[field(path, rule)]).unwrap_err();
            assert_eq!(errors.len(), 1);
            assert!(errors[0].what.starts_with(expected), "{path}: {}", errors[0].what);
        }
    }
}
