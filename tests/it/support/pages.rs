//! A customer list that pages in ways of its own, and notes who asks for what no answer had named yet.

use super::account::Shared;
use super::server::{Asked, Reply, Server};
use std::collections::HashSet;
use std::sync::{Arc, Mutex};

/// What a page token is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tokens {
    /// The last record's id; the list is sorted by it, upwards or downwards.
    Keys { descending: bool },
    /// The same, but nothing on the page says so, and the record has to be there still.
    Ids,
    /// A number of records, in the account's order.
    Offsets,
    /// The same, but those of later pages look different after each [`Pages::forget`].
    Renewed,
    /// A place in a copy of the list, made when its first page was asked for.
    Copies,
}

/// What becomes of a token that no answer has named since [`Pages::forget`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Old {
    Taken,
    Refused,
    /// As if there were none: the list's first page.
    Ignored,
    /// The server fails over it.
    Fails,
}

#[derive(Default)]
struct State {
    named: HashSet<String>,
    leaps: usize,
    pages: usize,
    forgotten: usize,
    copies: Vec<Vec<(String, String)>>,
}

/// The list's state, shared with the server.
#[derive(Clone)]
pub struct Pages {
    account: Shared,
    tokens: Tokens,
    old: Old,
    state: Arc<Mutex<State>>,
}

impl Pages {
    pub fn new(account: &Shared, tokens: Tokens, old: Old) -> Pages {
        Pages { account: account.clone(), tokens, old, state: Arc::default() }
    }

    /// A server of the account whose customer list pages like this. `meddle` hears of each page before it is made, with how
    /// many there were; where it answers, that counts.
    pub async fn serve(
        &self,
        meddle: impl Fn(&Shared, usize) -> Option<Reply> + Send + Sync + 'static,
    ) -> Server {
        let (pages, account) = (self.clone(), self.account.clone());
        self.account
            .serve_but(move |asked| {
                asked.is_customer_list().then(|| {
                    let before = pages.counts().0;
                    meddle(&account, before).unwrap_or_else(|| pages.answer(asked))
                })
            })
            .await
    }

    /// From now on, tokens named so far are old, and counts begin again.
    pub fn forget(&self) {
        let mut state = self.state.lock().unwrap();
        let (forgotten, copies) = (state.forgotten + 1, std::mem::take(&mut state.copies));
        *state = State { forgotten, copies, ..State::default() };
    }

    /// Pages asked for, and how many of them with a token that no answer had named yet.
    pub fn counts(&self) -> (usize, usize) {
        let state = self.state.lock().unwrap();
        (state.pages, state.leaps)
    }

    fn answer(&self, asked: &Asked) -> Reply {
        let mut state = self.state.lock().unwrap();
        state.pages += 1;
        let (mut token, back) = (asked.parameter("next"), asked.parameter("prev"));
        if let Some(old) = token.filter(|token| !state.named.contains(*token)) {
            state.leaps += 1;
            match self.old {
                Old::Taken => {}
                Old::Refused => return Reply::error(400, "invalid_cursor", &format!("{old} has expired")),
                Old::Ignored => token = None,
                Old::Fails => return Reply::error(500, "internal", "unexpected token"),
            }
        }
        let size = self.account.lock().page_size;
        let (rows, copy) = self.rows(&mut state, token);
        let place = |token: &str| self.place(&rows, token);
        let Some((from, to)) = (match (token, back) {
            (None, None) => Some((0, size)),
            (Some(token), _) => place(token).map(|from| (from, from + size)),
            // Before the cursor's record, not behind it.
            (None, Some(token)) => place(token).map(|at| (at.saturating_sub(size + 1), at.saturating_sub(1))),
        }) else {
            return Reply::error(400, "invalid_cursor", "the cursor is none of this list's");
        };
        let (from, to) = (from.min(rows.len()), to.min(rows.len()));
        let records: Vec<&str> = rows[from..to].iter().map(|(_, record)| record.as_str()).collect();
        let reply = Reply::json(200, &format!("[{}]", records.join(",")));
        let Some((last, _)) = rows[from..to].last() else { return reply };
        let next = match self.tokens {
            Tokens::Renewed if to > size => format!("at-{}-{to}", state.forgotten),
            Tokens::Offsets | Tokens::Renewed => format!("at-{to}"),
            Tokens::Copies => format!("copy-{copy}-{to}"),
            Tokens::Keys { .. } | Tokens::Ids => last.clone(),
        };
        state.named.insert(next.clone());
        if to == rows.len() || self.tokens == Tokens::Ids {
            return reply;
        }
        reply.with_header("Link", &format!("</customers?next={next}>; rel=\"next\""))
    }

    /// The list in its order, and which copy it is.
    fn rows(&self, state: &mut State, token: Option<&str>) -> (Vec<(String, String)>, usize) {
        let mut rows = self.account.lock().customers.clone();
        match self.tokens {
            Tokens::Keys { descending } => {
                rows.sort();
                if descending {
                    rows.reverse();
                }
            }
            Tokens::Copies => {
                let copy = token.and_then(|token| token.split('-').nth(1)).map(|copy| copy.parse().unwrap());
                let copy: usize = copy.unwrap_or_else(|| {
                    state.copies.push(rows);
                    state.copies.len() - 1
                });
                return (state.copies[copy].clone(), copy);
            }
            Tokens::Ids | Tokens::Offsets | Tokens::Renewed => {}
        }
        (rows, 0)
    }

    fn place(&self, rows: &[(String, String)], token: &str) -> Option<usize> {
        match self.tokens {
            Tokens::Keys { descending } => {
                Some(rows.partition_point(|(id, _)| {
                    (id.as_str() == token) || ((id.as_str() < token) != descending)
                }))
            }
            Tokens::Ids => rows.iter().position(|(id, _)| id == token).map(|at| at + 1),
            Tokens::Offsets | Tokens::Renewed | Tokens::Copies => token.rsplit('-').next()?.parse().ok(),
        }
    }
}
