//! Who is told what a run does, while it does it.
#![forbid(unsafe_code)]

use std::sync::Arc;

use crate::call::Done;
use crate::check::Check;

/// What has happened.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A check begins; several may be under way at once.
    Began(&'a Check),
    /// A call has ended.
    Done(&'a Done),
}

/// Told about each event, from whichever thread it happens in. The default is told nothing.
#[derive(Clone, Default)]
pub struct Observer(Option<Arc<Callback>>);

type Callback = dyn Fn(Event<'_>) + Send + Sync;

impl Observer {
    /// Tells this function.
    pub fn new(told: impl Fn(Event<'_>) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(told)))
    }

    /// Tells it.
    pub fn tell(&self, event: Event<'_>) {
        if let Some(told) = &self.0 {
            told(event);
        }
    }
}

impl std::fmt::Debug for Observer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("Observer").field(&self.0.is_some()).finish()
    }
}
