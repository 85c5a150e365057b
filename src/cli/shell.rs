//! `completions` and `man`.

use super::args::Args;
use super::exit::{Exit, Failure};
use super::output;
use clap::CommandFactory;

pub(super) fn completions(shell: clap_complete::Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "malomo-mirror", &mut script);
    output::text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

/// One page for the whole program: the overview, then each command with its flags.
pub(super) fn man() -> Result<Exit, Failure> {
    let mut page = Vec::new();
    let unwritable =
        |error| Failure::new(Exit::Failed, format!("the manual page could not be made: {error}"));
    let mut command = Args::command();
    command.build();
    clap_mangen::Man::new(command.clone()).render(&mut page).map_err(unwritable)?;
    for subcommand in visible(&command) {
        render(&mut page, subcommand, "").map_err(unwritable)?;
    }
    output::text(&String::from_utf8_lossy(&page))?;
    Ok(Exit::Done)
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
    for subcommand in visible(command) {
        render(page, subcommand, &format!("{name} "))?;
    }
    Ok(())
}
