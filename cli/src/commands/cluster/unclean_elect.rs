//! `cluster unclean-elect`: gives up what was acknowledged, after having asked.

use std::io::{self, IsTerminal as _, Write as _};

use gateway_api::client::Client;

use super::show;
use crate::error::{CliError, Doing as _};
use crate::output::Output;

/// Has a node own a partition with what it has, if whoever asks for it means it.
pub(super) async fn run(
    client: &Client,
    (topic, partition, node): (&str, u32, Option<u64>),
    accept_loss: bool,
    output: &mut Output<'_>,
) -> Result<(), CliError> {
    if !accept_loss && !is_confirmed(topic, partition)? {
        return Err(CliError::Usage {
            detail: "nothing was done: the loss was not accepted (--accept-loss)".to_owned(),
        });
    }
    let action = || format!("give up what was acknowledged of partition {partition} of `{topic}`");
    let elected = client.unclean_elect(topic, partition, node).await.doing(action)?;
    let (owner, incarnation) = (elected.node, elected.incarnation);
    let said = format!(
        "Node {owner} owns partition {partition} of {topic} with what it has; its log is of incarnation {incarnation}."
    );
    show(&elected, &said, output)
}

/// Asks for the topic's name, where there is somebody to ask.
fn is_confirmed(topic: &str, partition: u32) -> Result<bool, CliError> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    let mut asked = io::stderr();
    let question = format!(
        "Messages of partition {partition} that were acknowledged may be LOST, for good.\nType the name of the topic to go on: "
    );
    asked.write_all(question.as_bytes())?;
    asked.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == topic)
}
