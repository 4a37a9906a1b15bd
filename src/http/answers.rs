//! Answers that are told again while nothing has changed.
//!
//! Clients that wait for something ask the same until it is there, and tools that compare what is with what should be read
//! everything again and again. What an answer says depends on the World, the hosts' reports, who asks for what, and on the
//! time only where something is silent or ends, to the second. So it is kept until there is another World, another report or
//! another second, and told again with a request id of its own.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use crate::control::Status;
use crate::types::Owner;
use crate::world::World;

/// A shorter answer is made as fast as it is found.
const WORTH: usize = 2048;
/// All that is kept has so many bytes at most.
const ROOM: usize = 16 << 20;
/// How long an answer is kept: nothing in it tells time more exactly.
const KEPT: Duration = Duration::from_secs(1);

/// Who asks for what: all of a request that its answer depends on.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Question {
    pub owner: Owner,
    pub access_key: Arc<str>,
    pub endpoint: Arc<str>,
    pub pairs: Vec<(String, String)>,
}

/// What is told of.
pub(super) struct Of {
    pub world: Arc<World>,
    pub status: Arc<Status>,
    pub at: Instant,
}

/// An answer without its request id.
#[derive(Clone)]
pub(super) struct Answer {
    before_id: Bytes,
    after_id: Bytes,
    made: Instant,
}

#[derive(Default)]
pub(super) struct Answers(Mutex<Known>);

/// Answers of one World and one state of the reports.
#[derive(Default)]
struct Known {
    /// Weak, so that nothing is kept for its sake; what has these places in memory is still the same.
    world: Weak<World>,
    status: Weak<Status>,
    answers: HashMap<Question, Answer>,
    bytes: usize,
}

impl Answers {
    /// What was answered to the same question when nothing was different.
    pub fn find(&self, question: &Question, of: &Of) -> Option<Answer> {
        let known = self.known(of);
        let answer = known.answers.get(question)?;
        (of.at.saturating_duration_since(answer.made) < KEPT).then(|| answer.clone())
    }

    /// Keeps an answer, where that is worth it.
    pub fn keep(&self, question: Question, answer: &Answer, of: &Of) {
        let length = answer.len();
        if !(WORTH..=ROOM / 4).contains(&length) {
            return;
        }
        let mut known = self.known(of);
        if known.bytes + length > ROOM {
            known.forget();
        }
        known.bytes += length;
        if let Some(older) = known.answers.insert(question, answer.clone()) {
            known.bytes -= older.len();
        }
    }

    /// What is known of this, and nothing of another.
    fn known(&self, of: &Of) -> MutexGuard<'_, Known> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = known.world.as_ptr() == Arc::as_ptr(&of.world)
            && known.status.as_ptr() == Arc::as_ptr(&of.status);
        if !same {
            known.forget();
            known.world = Arc::downgrade(&of.world);
            known.status = Arc::downgrade(&of.status);
        }
        known
    }
}

impl Known {
    fn forget(&mut self) {
        self.answers.clear();
        self.bytes = 0;
    }
}

impl Answer {
    /// Cuts the request id out of an answer's text.
    pub fn of(text: String, id: &str, made: Instant) -> Self {
        let at = text.find(id).unwrap_or(text.len());
        let text = Bytes::from(text);
        let after_id = text.slice((at + id.len()).min(text.len())..);
        Self { before_id: text.slice(..at), after_id, made }
    }

    pub fn len(&self) -> usize {
        self.before_id.len() + self.after_id.len()
    }

    /// The text with another request id.
    pub fn told(self, id: &str) -> Body {
        let pieces = [self.before_id, Bytes::copy_from_slice(id.as_bytes()), self.after_id];
        Body::new(Pieces(pieces.into()))
    }
}

/// A body in pieces, whose length is known.
struct Pieces(VecDeque<Bytes>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.iter().map(|piece| piece.len() as u64).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::AccountId;
    use http_body_util::BodyExt;

    fn question(account: u64, action: &str) -> Question {
        Question {
            owner: Owner { account: AccountId::from_random(account), region: "us-east-1".into() },
            access_key: "AKIDEXAMPLE".into(),
            endpoint: "127.0.0.1:8773".into(),
            pairs: vec![("Action".into(), action.into())],
        }
    }

    fn now() -> Of {
        Of { world: Arc::default(), status: Arc::default(), at: Instant::now() }
    }

    fn answer(length: usize, at: Instant) -> Answer {
        Answer::of(format!("<a>one</a>{}", "x".repeat(length)), "one", at)
    }

    #[tokio::test]
    async fn an_answer_is_told_again_with_another_id() {
        let body = answer(3, Instant::now()).told("two");
        assert_eq!(hyper::body::Body::size_hint(&body).exact(), Some(13));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "<a>two</a>xxx");
    }

    #[test]
    fn an_answer_is_kept_for_the_same_question_until_something_is_different() {
        let (answers, of) = (Answers::default(), now());
        let known = |question: &Question, of: &Of| answers.find(question, of).is_some();
        let asked = question(1, "DescribeVpcs");
        assert!(!known(&asked, &of));
        answers.keep(asked.clone(), &answer(WORTH, of.at), &of);
        assert!(known(&asked, &of));
        for other in [
            question(2, "DescribeVpcs"),
            question(1, "DescribeSubnets"),
            Question { endpoint: "localhost:8773".into(), ..asked.clone() },
            Question { access_key: "AKIDOTHER".into(), ..asked.clone() },
            Question { owner: Owner { region: "eu-west-1".into(), ..asked.owner.clone() }, ..asked.clone() },
        ] {
            assert!(!known(&other, &of));
        }
        assert!(!known(&asked, &Of { at: of.at + KEPT, world: of.world.clone(), status: of.status.clone() }));
        assert!(known(&asked, &of), "time alone makes nobody forget");
        let reported = Of { world: of.world.clone(), ..now() };
        assert!(!known(&asked, &reported));
        answers.keep(asked.clone(), &answer(WORTH, reported.at), &reported);
        let changed = Of { status: reported.status.clone(), ..now() };
        assert!(known(&asked, &reported) && !known(&asked, &changed));
    }

    #[test]
    fn what_is_kept_stays_bounded() {
        let (answers, of) = (Answers::default(), now());
        for number in 0..40 {
            answers.keep(question(number, "DescribeVpcs"), &answer(ROOM / 8, of.at), &of);
            assert!(answers.0.lock().unwrap().bytes <= ROOM);
        }
        assert!(answers.find(&question(39, "DescribeVpcs"), &of).is_some());
        answers.keep(question(40, "DescribeVpcs"), &answer(ROOM, of.at), &of);
        assert!(answers.find(&question(40, "DescribeVpcs"), &of).is_none(), "it would take all the room");
    }
}
