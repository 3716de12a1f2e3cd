//! `store inspect`: what lies in a data directory, from partitions down to records.

mod batches;
mod columns;
mod overview;

use self::batches::Listing;
use super::PlaceArgs;
use super::directory::DataDirectory;
use super::known::Known;
use super::partition_files::PartitionFiles;
use super::progress::Progress;
use crate::error::CliError;
use crate::output::Output;

/// What to show.
#[derive(Debug, clap::Args)]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// The batches of the segment that begins at this offset
    #[arg(long, value_name = "OFFSET", requires = "topic_id", requires = "partition")]
    segment: Option<u64>,
    /// Each record instead of each batch
    #[arg(long, requires = "segment")]
    records: bool,
    /// The payloads too; without it no payload is shown
    #[arg(long, requires = "records")]
    payloads: bool,
}

/// Shows it.
pub(super) fn run(args: &InspectArgs, output: &mut Output<'_>) -> Result<(), CliError> {
    let directory = DataDirectory::open(&args.place.dir)?;
    let known = Known::read(directory.path())?;
    let partitions = directory.partitions(&args.place, &known)?;
    let mut all = Vec::with_capacity(partitions.len());
    for partition in partitions {
        let known = known.logs.of(partition);
        all.push((directory.files_of(partition)?.without_expired(known), known));
    }
    match (args.segment, all.as_slice()) {
        (Some(segment), [(files, known)]) => Listing::new(args, segment).run(files, *known, output),
        (Some(_) | None, []) => output.note("There are no partitions."),
        (Some(_) | None, _) => {
            let bytes =
                |files: &PartitionFiles| files.segments.iter().map(|&base| files.segment_bytes(base)).sum::<u64>();
            let mut progress = Progress::new(all.iter().map(|(files, _)| bytes(files)).sum());
            all.iter().try_for_each(|(files, known)| overview::show(files, *known, &mut progress, output))
        }
    }
}
