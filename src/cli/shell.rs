//! `completions` and `man`.

use super::args::Args;
use super::exit::{Exit, Failure};
use super::output;
use clap::CommandFactory;

pub(super) fn completions(shell: clap_complete::Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "malomo-mirror", &mut script);
    output::text(&String::from_utf8_lossy(&script))
}

/// One page for the whole program: the overview, then each command with its flags.
pub(super) fn man() -> Result<Exit, Failure> {
    let mut page = Vec::new();
    let mut command = Args::command();
    command.build();
    clap_mangen::Man::new(command.clone())
        .render(&mut page)
        .and_then(|()| visible(&command).try_for_each(|command| render(&mut page, command, "")))
        .map_err(Failure::because("the manual page could not be made"))?;
    output::text(&String::from_utf8_lossy(&page))
}

fn visible(command: &clap::Command) -> impl Iterator<Item = &clap::Command> {
    command.get_subcommands().filter(|command| command.get_name() != "help" && !command.is_hide_set())
}

fn render(page: &mut Vec<u8>, command: &clap::Command, parent: &str) -> std::io::Result<()> {
    let name = format!("{parent}{}", command.get_name());
    page.extend_from_slice(format!(".SH \"{}\"\n", name.to_uppercase()).as_bytes());
    let man = clap_mangen::Man::new(command.clone());
    man.render_description_section(page)?;
    man.render_options_section(page)?;
    visible(command).try_for_each(|command| render(page, command, &format!("{name} ")))
}
