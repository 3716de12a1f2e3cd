//! When proposers are answered.

use super::*;
use crate::metadata::{Outcome, Refusal};

struct Waiting {
    publications: mpsc::Sender<Publication>,
    published: watch::Sender<u64>,
    stop: watch::Sender<bool>,
}

fn answering() -> Waiting {
    let (publications, unpublished) = mpsc::channel(8);
    let published = watch::Sender::new(0);
    let stop = watch::Sender::new(false);
    tokio::spawn(answer_published(unpublished, published.subscribe(), stop.subscribe()));
    Waiting { publications, published, stop }
}

fn publication(version: u64, wait: Duration) -> (Publication, oneshot::Receiver<Answer>) {
    let (reply, answer) = oneshot::channel();
    (Publication::new(version, wait, vec![(reply, Ok(Outcome::NodeRegistered))]), answer)
}

#[tokio::test(start_paused = true)]
async fn a_proposer_is_answered_once_its_version_is_published() {
    let waiting = answering();
    let (publication, mut answer) = publication(7, limits::PUBLICATION_WAIT);
    waiting.publications.send(publication).await.unwrap();
    waiting.published.send_replace(6);
    tokio::task::yield_now().await;
    assert!(answer.try_recv().is_err());
    waiting.published.send_replace(7);
    assert_eq!(answer.await, Ok(Ok(Outcome::NodeRegistered)));
}

#[tokio::test(start_paused = true)]
async fn a_proposer_whose_version_is_not_published_in_time_is_told_that_it_holds() {
    let waiting = answering();
    let (publication, answer) = publication(7, limits::PUBLICATION_WAIT);
    waiting.publications.send(publication).await.unwrap();
    assert_eq!(answer.await, Ok(Err(ProposeError::NotPublished { version: 7 })));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_waits_for_its_version_too_and_stays_a_refusal_without_it() {
    let waiting = answering();
    let refused = Err(ProposeError::Refused(Refusal::TopicNotFound));
    let (reply, mut answer) = oneshot::channel();
    let publication = Publication::new(7, limits::PUBLICATION_WAIT, vec![(reply, refused.clone())]);
    waiting.publications.send(publication).await.unwrap();
    tokio::task::yield_now().await;
    assert!(answer.try_recv().is_err());
    waiting.published.send_replace(7);
    assert_eq!(answer.await, Ok(refused.clone()));
    let (reply, answer) = oneshot::channel();
    let publication = Publication::new(8, limits::PUBLICATION_WAIT, vec![(reply, refused.clone())]);
    waiting.publications.send(publication).await.unwrap();
    assert_eq!(answer.await, Ok(refused));
}

#[tokio::test(start_paused = true)]
async fn when_the_node_stops_nobody_waits_any_longer() {
    let waiting = answering();
    let (publication, answer) = publication(7, Duration::from_secs(1 << 30));
    waiting.publications.send(publication).await.unwrap();
    waiting.stop.send_replace(true);
    assert_eq!(answer.await, Ok(Err(ProposeError::NotPublished { version: 7 })));
}
