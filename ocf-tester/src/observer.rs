//! The observer of a run: it gets each event while the run goes on.
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

/// Gets each event, from the thread in which it happens. The default ignores them.
#[derive(Clone, Default)]
pub struct Observer(Option<Arc<Callback>>);

type Callback = dyn Fn(Event<'_>) + Send + Sync;

impl Observer {
    /// Calls this function for each event.
    pub fn new(function: impl Fn(Event<'_>) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(function)))
    }

    /// Passes an event on.
    pub fn report(&self, event: Event<'_>) {
        if let Some(function) = &self.0 {
            function(event);
        }
    }
}

impl std::fmt::Debug for Observer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("Observer").field(&self.0.is_some()).finish()
    }
}
