//! `pubsub-loadtest`: load on a broker, with latency percentiles that can be believed.
//!
//! `schedule` says when each request is due, `publishing` sends it over one of the `targets` and hands the answer to the
//! `account`, which keeps a `recorder` and a check of `deliveries`. `worker` is one thread of that, `run` a whole run,
//! `report` its result.

pub mod account;
pub mod any_setup;
pub mod args;
pub mod clock;
pub mod connections;
pub mod counters;
pub mod deliveries;
pub mod descriptors;
pub mod disk;
pub mod fan_out;
pub mod host;
pub mod limits;
pub mod machine;
pub mod manual;
pub mod progress;
pub mod publishing;
pub mod readers;
pub mod recorder;
pub mod report;
pub mod resources;
pub mod responder;
pub mod run;
pub mod saturation;
pub mod schedule;
pub mod series;
pub mod server;
pub mod setup;
pub mod stamp;
pub mod standard;
pub mod subscriptions;
pub mod targets;
pub mod template;
pub mod watch;
pub mod worker;
pub mod workload;
pub mod write_loop;
