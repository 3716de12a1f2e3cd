//! The commands, one file each; here each is given what it needs.

pub(crate) mod acks;
pub(crate) mod cluster;
pub(crate) mod completions;
pub(crate) mod groups;
pub(crate) mod keys;
pub(crate) mod man_pages;
pub(crate) mod principals;
pub(crate) mod publish;
pub(crate) mod pull;
pub(crate) mod seek;
pub(crate) mod store;
pub(crate) mod subscribe;
pub(crate) mod subscriptions;
pub(crate) mod topics;

use crate::args::{Args, Command};
use crate::error::CliError;
use crate::output::Output;

/// Does what the command line says.
pub(crate) async fn run(args: Args, output: &mut Output<'_>) -> Result<(), CliError> {
    let global = args.global;
    let client = global.client();
    match args.command {
        Command::Topics(command) => topics::run(command, &client, output).await,
        Command::Publish(args) => publish::run(args, &client, output).await,
        Command::Subscribe(args) => subscribe::run(args, &global, output).await,
        Command::Subscriptions(command) => subscriptions::run(command, &client, output).await,
        Command::Groups(command) => groups::run(command, &client, output).await,
        Command::Cluster(command) => cluster::run(command, &client, output).await,
        Command::Keys(command) => keys::run(command, &client, output).await,
        Command::Principals(command) => principals::run(command, &client, output).await,
        Command::Whoami => principals::whoami(&client, output).await,
        Command::Pull(args) => pull::run(args, &client, output).await,
        Command::Ack(args) => acks::ack(args, &client, output).await,
        Command::Nack(args) => acks::nack(args, &client, output).await,
        Command::Extend(args) => acks::extend(args, &client, output).await,
        Command::Seek(args) => seek::run(args, &client, output).await,
        Command::Store(command) => store::run(command, output),
        Command::Completions(args) => completions::run(&args, output),
        Command::ManPages(args) => man_pages::run(&args),
    }
}
