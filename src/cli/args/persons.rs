//! Of what is done for and with persons: `person` and `erase`.

use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Person {
    /// An e-mail address, a customer's id or a telephone number
    #[arg(value_name = "EMAIL|ID|PHONE")]
    pub(in crate::cli) person: String,
    /// Write all that is held of the person into this new folder, as JSON and as a page: for an access request
    #[arg(long, value_name = "FOLDER")]
    pub(in crate::cli) export: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  malomo-mirror erase --email jane@example.com --dry-run\n  \
    malomo-mirror erase --email jane@example.com --at-vendor --reason \"request 2026-117\"\n  \
    malomo-mirror erase --file requests.txt --yes\n  \
    malomo-mirror erase --expired --dry-run\n  \
    malomo-mirror erase --check mirror.db.receipts/erasure-000001.json --email jane@example.com")]
#[command(group = clap::ArgGroup::new("mode").args(["check", "finish", "allow_return", "allow_return_all"]))]
pub(in crate::cli) struct Erase {
    /// Customers by their ids
    #[arg(value_name = "ID")]
    pub(in crate::cli) ids: Vec<String>,
    /// Customers who have or had this e-mail address; may be given several times
    #[arg(long = "email", value_name = "ADDRESS")]
    pub(in crate::cli) emails: Vec<String>,
    /// Customers who have or had this telephone number; may be given several times
    #[arg(long = "phone", value_name = "NUMBER")]
    pub(in crate::cli) phones: Vec<String>,
    /// Persons by a file with an id, an e-mail address or a telephone number on each line: one erasure for all of them
    #[arg(long, value_name = "LIST")]
    pub(in crate::cli) file: Option<PathBuf>,
    /// What has been kept for longer than the rules of `[retention]` allow, instead of persons; with --dry-run only how much
    /// that is
    #[arg(long, conflicts_with_all = ["ids", "emails", "phones", "file", "at_vendor", "reason", "mode"])]
    pub(in crate::cli) expired: bool,
    /// Delete the customers by the API first
    #[arg(long, conflicts_with = "mode")]
    pub(in crate::cli) at_vendor: bool,
    /// Tell who would be erased, and how much of them; changes nothing
    #[arg(long, conflicts_with = "mode")]
    pub(in crate::cli) dry_run: bool,
    /// Don't ask
    #[arg(long)]
    pub(in crate::cli) yes: bool,
    /// Why, for the receipt, such as the number of the request; it must name nobody
    #[arg(long, value_name = "TEXT", conflicts_with = "mode")]
    pub(in crate::cli) reason: Option<String>,
    /// Look for the given persons of this receipt in every file, byte by byte and unpacked; exit code 1 where one is found
    #[arg(long, value_name = "RECEIPT")]
    pub(in crate::cli) check: Option<PathBuf>,
    /// End erasures that were cut off or could not be ended
    #[arg(long)]
    pub(in crate::cli) finish: bool,
    /// Let a person come back who was erased: by id, e-mail address or telephone number
    #[arg(long, value_name = "ID|EMAIL|PHONE")]
    pub(in crate::cli) allow_return: Option<String>,
    /// Let everybody come back who was erased; needs no key file
    #[arg(long)]
    pub(in crate::cli) allow_return_all: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}
