//! The connections that have something to write when the turn ends.

use std::cell::{Cell, RefCell};
use std::mem;
use std::ops::Deref;
use std::rc::Rc;

use crate::connection::Connection;

/// A list on which no connection can stand twice: only the list changes the mark of a
/// connection, and a mark says whether the connection is on the list.
#[derive(Default)]
pub(crate) struct DirtyList(RefCell<Vec<Rc<Connection>>>);

/// Whether a connection is on the list of its hub.
#[derive(Default)]
pub(crate) struct DirtyMark(Cell<bool>);

/// What was on the list: different connections.
pub(crate) struct Dirty(Vec<Rc<Connection>>);

impl DirtyList {
    /// Lists `connection`, unless it is listed. Returns whether it was not.
    #[inline]
    pub fn add(&self, connection: &Rc<Connection>) -> bool {
        if connection.dirty.0.replace(true) {
            return false;
        }
        self.0.borrow_mut().push(connection.clone());
        true
    }

    /// Empties the list.
    pub fn take(&self) -> Dirty {
        let connections = mem::take(&mut *self.0.borrow_mut());
        for connection in &connections {
            connection.dirty.0.set(false);
        }
        Dirty(connections)
    }
}

impl Deref for Dirty {
    type Target = [Rc<Connection>];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl IntoIterator for Dirty {
    type Item = Rc<Connection>;
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Transport;

    #[tokio::test]
    async fn a_connection_is_listed_once() {
        let (near, _far) = tokio::io::duplex(1 << 20);
        let connection = Rc::new(Connection::for_test(Transport::Stream(Box::new(near))));
        let list = DirtyList::default();
        assert!(list.add(&connection));
        assert!(!list.add(&connection));
        // To write what there is changes nothing: it is listed still.
        connection.send_text("one");
        assert!(connection.flush());
        connection.send_text("two");
        assert!(!list.add(&connection));
        assert_eq!(list.take().len(), 1);

        assert!(list.add(&connection), "it was taken from the list");
        assert_eq!(list.take().len(), 1);
        assert!(list.take().is_empty());
    }
}
