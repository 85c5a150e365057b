//! What each file of `src` imports, read from its tokens.
//!
//! An import is any path that begins with `crate`, `self`, `super` or a module declared in the same file, in a `use` or
//! elsewhere. It leads to the file that defines the name, not to the `mod.rs` that passes it on: a `pub use` is followed,
//! and is no import of the file that it stands in unless that file also uses the name. Items under `#[cfg(test)]` and the
//! files that they declare are skipped.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

/// A path from the crate's root, such as `["api", "client", "Client"]`.
type Names = Vec<String>;

/// That a file imports from another one.
pub struct Import {
    pub from: String,
    pub to: String,
    /// What it imports, for messages.
    name: String,
}

impl fmt::Display for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} imports {} from {}", self.from, self.name, self.to)
    }
}

/// The imports between all files of `src`.
pub fn imports() -> Vec<Import> {
    let mut source = Source::default();
    source.read_file("src/lib.rs".to_owned(), Vec::new());
    source.resolved()
}

/// A module: a file, or a block of one.
#[derive(Default)]
struct Module {
    file: String,
    children: BTreeSet<String>,
    /// What each name that a `use` brings in stands for.
    names: BTreeMap<String, Names>,
    /// Names of `pub use`: imports only if they are also among `words`.
    passed_on: Vec<String>,
    words: BTreeSet<String>,
    paths: Vec<Names>,
}

#[derive(Default)]
struct Source(BTreeMap<Names, Module>);

impl Source {
    fn read_file(&mut self, file: String, module: Names) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&file);
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{file}: {error}"));
        let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{file}: {error}"));
        self.read_module(&file, module, tokens);
    }

    fn read_module(&mut self, file: &str, path: Names, tokens: TokenStream) {
        let tokens = without_tests(tokens);
        let mut module = Module { file: file.to_owned(), ..Module::default() };
        // First the children, since a path may begin with one that is declared further down.
        let mut rest = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at..] {
                [TokenTree::Ident(word), TokenTree::Ident(name), body, ..] if word == "mod" => {
                    let child = [&path[..], &[name.to_string()]].concat();
                    match (body, rest.pop_if(|token| matches!(token, TokenTree::Literal(_)))) {
                        (TokenTree::Group(block), _) => self.read_module(file, child, block.stream()),
                        (_, Some(named)) => self.read_file(beside(file, &named), child),
                        (_, None) => self.read_file(file_of(&child), child),
                    }
                    module.children.insert(name.to_string());
                    at += 3;
                }
                [token, ..] => {
                    rest.push(token.clone());
                    at += 1;
                }
                [] => {}
            }
        }
        Reader { path: &path, module: &mut module }.read(&rest);
        self.0.insert(path, module);
    }

    fn resolved(&self) -> Vec<Import> {
        let mut found = BTreeMap::new();
        for module in self.0.values() {
            let used = module.passed_on.iter().filter(|name| module.words.contains(*name));
            let paths = module.paths.iter().chain(used.map(|name| &module.names[name]));
            for path in paths {
                let to = self.file_with(path);
                if to != module.file {
                    found.insert((module.file.clone(), to.to_owned()), path.join("::"));
                }
            }
        }
        found.into_iter().map(|((from, to), name)| Import { from, to, name }).collect()
    }

    /// The file that defines what this path names.
    fn file_with(&self, path: &[String]) -> &str {
        let depth = (0..=path.len()).rev().find(|&depth| self.0.contains_key(&path[..depth])).unwrap_or(0);
        let module = &self.0[&path[..depth]];
        match path.get(depth).and_then(|name| module.names.get(name)) {
            Some(target) if target != &path[..=depth] => {
                self.file_with(&[&target[..], &path[depth + 1..]].concat())
            }
            _ => &module.file,
        }
    }
}

/// `src/api/client.rs` or `src/api/client/mod.rs` for `["api", "client"]`.
fn file_of(module: &[String]) -> String {
    let base = format!("src/{}", module.join("/"));
    let file = format!("{base}.rs");
    let exists = Path::new(env!("CARGO_MANIFEST_DIR")).join(&file).exists();
    if exists { file } else { format!("{base}/mod.rs") }
}

/// The file of that name, as `#[path]` gives it, in the folder of `file`.
fn beside(file: &str, named: &TokenTree) -> String {
    let (folder, _) = file.rsplit_once('/').unwrap_or_default();
    format!("{folder}/{}", named.to_string().trim_matches('"'))
}

/// The tokens without the items under `#[cfg(test)]`, without attributes but for the name in `#[path]`, and without
/// the scope in `pub(in …)`.
fn without_tests(tokens: TokenStream) -> Vec<TokenTree> {
    let mut kept = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let next = tokens.peek();
        match (&token, next) {
            (TokenTree::Punct(mark), Some(TokenTree::Group(attribute))) if mark.as_char() == '#' => {
                let attribute = attribute.stream();
                tokens.next();
                if attribute.to_string().starts_with("path =") {
                    kept.extend(attribute.into_iter().last());
                } else if attribute.to_string().replace(' ', "") == "cfg(test)" {
                    // An item ends with a block or a semicolon.
                    tokens.by_ref().find(|token| match token {
                        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                        TokenTree::Punct(mark) => mark.as_char() == ';',
                        _ => false,
                    });
                }
            }
            (TokenTree::Ident(word), Some(TokenTree::Group(scope)))
                if word == "pub" && scope.delimiter() == Delimiter::Parenthesis =>
            {
                tokens.next();
                kept.push(token);
            }
            _ => kept.push(token),
        }
    }
    kept
}

/// Reads what one module imports.
struct Reader<'a> {
    path: &'a [String],
    module: &'a mut Module,
}

impl Reader<'_> {
    fn read(&mut self, tokens: &[TokenTree]) {
        let mut at = 0;
        let mut public = false;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.read(&without_tests(group.stream())),
                TokenTree::Ident(word) if word == "use" => {
                    let end =
                        (at..tokens.len()).find(|&at| is_mark(&tokens[at], ';')).unwrap_or(tokens.len());
                    self.read_use(&tokens[at + 1..end], Vec::new(), public);
                    at = end;
                }
                TokenTree::Ident(word) => {
                    self.module.words.insert(word.to_string());
                    let begins = at == 0 || !is_mark(&tokens[at - 1], ':');
                    let (path, length) = leading_path(&tokens[at..]);
                    if begins && length > 1 {
                        self.module.paths.extend(self.absolute(&path));
                    }
                    at += length - 1;
                }
                _ => {}
            }
            public = matches!(tokens.get(at), Some(TokenTree::Ident(word)) if word == "pub");
            at += 1;
        }
    }

    /// Reads a tree of `use`: `a::b`, `a::{b, c::d}`, `a as b`, `a::*`.
    fn read_use(&mut self, tokens: &[TokenTree], before: Names, public: bool) {
        for branch in tokens.split(|token| is_mark(token, ',')).filter(|branch| !branch.is_empty()) {
            let (path, length) = leading_path(branch);
            let path = [&before[..], &path[..]].concat();
            match &branch[length..] {
                [.., TokenTree::Group(group)] => {
                    self.read_use(&group.stream().into_iter().collect::<Vec<_>>(), path, public);
                }
                rest => {
                    let name = match rest {
                        [.., TokenTree::Ident(renamed)] => renamed.to_string(),
                        _ => path.iter().rfind(|name| *name != "self").cloned().unwrap_or_default(),
                    };
                    self.bring_in(name, &path, public);
                }
            }
        }
    }

    fn bring_in(&mut self, name: String, path: &[String], public: bool) {
        let Some(path) = self.absolute(path) else { return };
        self.module.names.insert(name.clone(), path.clone());
        if public {
            self.module.passed_on.push(name);
        } else {
            self.module.paths.push(path);
        }
    }

    /// The path from the crate's root; `None` for one that begins elsewhere.
    fn absolute(&self, path: &[String]) -> Option<Names> {
        let mut base = match path.first()?.as_str() {
            "crate" => Vec::new(),
            "self" | "super" => self.path.to_vec(),
            child if self.module.children.contains(child) => self.path.to_vec(),
            _ => return None,
        };
        for name in path {
            match name.as_str() {
                "crate" | "self" => {}
                "super" => drop(base.pop()),
                name => base.push(name.to_owned()),
            }
        }
        Some(base)
    }
}

/// The names that the tokens begin with, joined by `::`, and how many tokens these are.
fn leading_path(tokens: &[TokenTree]) -> (Names, usize) {
    let mut names = Vec::new();
    let mut at = 0;
    while let Some(TokenTree::Ident(name)) = tokens.get(at) {
        names.push(name.to_string());
        at += 1;
        match tokens.get(at..at + 2) {
            Some([one, two]) if is_mark(one, ':') && is_mark(two, ':') => at += 2,
            _ => break,
        }
    }
    (names, at)
}

fn is_mark(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(found) if found.as_char() == mark)
}
