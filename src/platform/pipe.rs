//! The bounded pipes into the engine, whose overflow is always seen.
//!
//! A sender of a bounded channel owns one slot of its own. A second sender therefore can always
//! report a loss: its slot is taken only while an earlier report has not been read, and that
//! report then still stands in the queue behind which anything was lost.

use super::link::{LINK_FRAMES_MAX, LinkEvent};
#[cfg(any(target_arch = "wasm32", feature = "testkit"))]
use super::tabs::{TAB_MESSAGES_MAX, TabEvent};
use futures_channel::mpsc;

/// The sending end of a tab's events.
#[cfg(any(target_arch = "wasm32", feature = "testkit"))]
#[derive(Debug, Clone)]
pub(crate) struct TabSink {
    events: mpsc::Sender<TabEvent>,
    losses: mpsc::Sender<TabEvent>,
}

#[cfg(any(target_arch = "wasm32", feature = "testkit"))]
impl TabSink {
    /// A pipe that holds [`TAB_MESSAGES_MAX`] events.
    pub(crate) fn channel() -> (Self, mpsc::Receiver<TabEvent>) {
        let (events, receiver) = mpsc::channel(TAB_MESSAGES_MAX - 1);
        let losses = events.clone();
        (Self { events, losses }, receiver)
    }

    /// Hands an event on, or reports that one was lost.
    pub(crate) fn push(&mut self, event: TabEvent) {
        if let Err(error) = self.events.try_send(event)
            && error.is_full()
        {
            // A refusal means that an unread `Lagged` is queued already, or nobody reads.
            let _ = self.losses.try_send(TabEvent::Lagged);
        }
    }
}

/// The sending end of a link's events; dropping it ends the connection for the reader.
#[derive(Debug)]
pub(crate) struct LinkSink {
    events: mpsc::Sender<LinkEvent>,
    losses: mpsc::Sender<LinkEvent>,
}

/// Whether a link can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkState {
    /// The event was queued.
    Open,
    /// The reader is gone, or an overflow was reported: close the socket.
    Ended,
}

impl LinkSink {
    /// A pipe that holds [`LINK_FRAMES_MAX`] frames.
    pub(crate) fn channel() -> (Self, mpsc::Receiver<LinkEvent>) {
        let (events, receiver) = mpsc::channel(LINK_FRAMES_MAX - 1);
        let losses = events.clone();
        (Self { events, losses }, receiver)
    }

    /// Hands a frame on; after [`LinkState::Ended`] the caller drops the sink.
    pub(crate) fn push(&mut self, frame: String) -> LinkState {
        match self.events.try_send(LinkEvent::Frame(frame)) {
            Ok(()) => LinkState::Open,
            Err(error) => {
                if error.is_full() {
                    self.overflow();
                }
                LinkState::Ended
            }
        }
    }

    /// Reports an overflow; the caller drops the sink.
    pub(crate) fn overflow(&mut self) {
        let _ = self.losses.try_send(LinkEvent::Overflow);
    }
}

#[cfg(all(test, any(target_arch = "wasm32", feature = "testkit")))]
mod tests {
    use super::*;

    fn drain<T>(receiver: &mut mpsc::Receiver<T>) -> Vec<T> {
        std::iter::from_fn(|| receiver.try_recv().ok()).collect()
    }

    #[test]
    fn a_full_tab_pipe_ends_in_a_report_of_the_loss() {
        let (mut sink, mut receiver) = TabSink::channel();
        for n in 0..TAB_MESSAGES_MAX + 10 {
            sink.push(TabEvent::Message(n.to_le_bytes().to_vec()));
        }
        let events = drain(&mut receiver);
        assert_eq!(events.last(), Some(&TabEvent::Lagged));
        assert!(events.len() <= TAB_MESSAGES_MAX + 1);

        sink.push(TabEvent::Resumed);
        assert_eq!(drain(&mut receiver), [TabEvent::Resumed]);
    }

    #[test]
    fn every_loss_is_followed_by_a_report_whatever_was_read_between() {
        let (mut sink, mut receiver) = TabSink::channel();
        let fill = |sink: &mut TabSink| {
            for _ in 0..=TAB_MESSAGES_MAX {
                sink.push(TabEvent::Resumed);
            }
        };
        fill(&mut sink);
        for _ in 0..3 {
            assert_eq!(receiver.try_recv().ok(), Some(TabEvent::Resumed));
        }
        fill(&mut sink);
        assert!(drain(&mut receiver).contains(&TabEvent::Lagged));
        fill(&mut sink);
        assert_eq!(drain(&mut receiver).last(), Some(&TabEvent::Lagged));
    }

    #[test]
    fn an_overflow_is_the_last_event_of_a_link() {
        let (mut sink, mut receiver) = LinkSink::channel();
        let mut state = LinkState::Open;
        let mut pushed = 0;
        while state == LinkState::Open {
            state = sink.push("{}".to_owned());
            pushed += 1;
        }
        drop(sink);
        assert_eq!(pushed, LINK_FRAMES_MAX + 1);
        let events = drain(&mut receiver);
        assert_eq!(events.len(), LINK_FRAMES_MAX + 1);
        assert_eq!(events.last(), Some(&LinkEvent::Overflow));
    }

    #[test]
    fn a_link_without_a_reader_ends() {
        let (mut sink, receiver) = LinkSink::channel();
        drop(receiver);
        assert_eq!(sink.push("{}".to_owned()), LinkState::Ended);
    }
}
