//! What is declared of a key.

use super::value::Value;

/// A default, as it stands in the table of keys. Its variant is also the key's type.
#[derive(Debug, Clone, Copy)]
pub(super) enum Literal {
    Text(&'static str),
    Integer(i64),
    Number(f64),
    Flag(bool),
    List(&'static [&'static str]),
}

impl Literal {
    fn value(self) -> Value {
        match self {
            Literal::Text(text) => Value::Text(text.to_owned()),
            Literal::Integer(number) => Value::Integer(number),
            Literal::Number(number) => Value::Number(number),
            Literal::Flag(flag) => Value::Flag(flag),
            Literal::List(items) => Value::List(items.iter().map(|&item| item.to_owned()).collect()),
        }
    }
}

/// Why a value is not what its key expects; `why` where more can be said than the expectation itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) why: Option<String>,
}

impl Refusal {
    pub(super) fn because(why: impl ToString) -> Refusal {
        Refusal { why: Some(why.to_string()) }
    }
}

/// One key of the configuration, whose value means a `T`.
pub(super) struct Key<T> {
    /// The dotted path.
    pub(super) path: &'static str,
    /// What it does, as prose for the example file.
    pub(super) doc: &'static str,
    pub(super) default: Literal,
    /// What it accepts: follows the word "expected".
    pub(super) expected: &'static str,
    pub(super) read: fn(&Value) -> Result<T, Refusal>,
}

/// A key whatever its type, as the table holds it.
pub(super) trait Declared: Sync {
    fn path(&self) -> &'static str;
    fn doc(&self) -> &'static str;
    fn default(&self) -> Value;
    fn expected(&self) -> &'static str;
    fn check(&self, value: &Value) -> Result<(), Refusal>;

    /// The table it stands in, and its name there.
    fn section_and_name(&self) -> (&'static str, &'static str) {
        self.path().rsplit_once('.').unwrap_or(("", self.path()))
    }
}

impl<T> Declared for Key<T> {
    fn path(&self) -> &'static str {
        self.path
    }

    fn doc(&self) -> &'static str {
        self.doc
    }

    fn default(&self) -> Value {
        self.default.value()
    }

    fn expected(&self) -> &'static str {
        self.expected
    }

    fn check(&self, value: &Value) -> Result<(), Refusal> {
        (self.read)(value).map(drop)
    }
}

/// Every variable with this prefix sets a key; two underscores stand for the dot.
pub(super) const PREFIX: &str = "MALOMO_MIRROR__";

/// `MALOMO_MIRROR__API__BASE_URL` for `api.base_url`.
pub(super) fn variable_of(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").to_uppercase())
}
