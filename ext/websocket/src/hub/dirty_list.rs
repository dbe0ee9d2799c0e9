//! The list of the connections that are written to when the turn ends.

use std::cell::{Cell, RefCell};
use std::mem;
use std::ops::Deref;
use std::rc::Rc;

/// A list on which no member can be twice. The mark of a member says whether the member is on the
/// list. Only the list changes the mark.
pub(crate) struct DirtyList<T>(RefCell<Vec<Rc<T>>>);

/// Whether a member is on its list.
#[derive(Default)]
pub(crate) struct DirtyMark(Cell<bool>);

/// Can be put on a [`DirtyList`].
pub(crate) trait Marked {
    fn mark(&self) -> &DirtyMark;
}

/// The members that were on the list. No member occurs twice.
pub(crate) struct Dirty<T>(Vec<Rc<T>>);

impl<T> Default for DirtyList<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<T: Marked> DirtyList<T> {
    /// Adds `member`, unless the member is on the list. Returns whether the
    /// member was added.
    #[inline]
    pub(crate) fn add(&self, member: &Rc<T>) -> bool {
        if member.mark().0.replace(true) {
            return false;
        }
        self.0.borrow_mut().push(member.clone());
        true
    }

    /// Empties the list.
    pub(crate) fn take(&self) -> Dirty<T> {
        let members = mem::take(&mut *self.0.borrow_mut());
        for member in &members {
            member.mark().0.set(false);
        }
        Dirty(members)
    }
}

impl<T> Deref for Dirty<T> {
    type Target = [Rc<T>];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T> IntoIterator for Dirty<T> {
    type Item = Rc<T>;
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Member(DirtyMark);

    impl Marked for Member {
        fn mark(&self) -> &DirtyMark {
            &self.0
        }
    }

    #[test]
    fn a_member_is_listed_once() {
        let member = Rc::new(Member::default());
        let list = DirtyList::default();
        assert!(list.add(&member));
        assert!(!list.add(&member));
        assert_eq!(list.take().len(), 1);

        assert!(list.add(&member), "it was taken from the list");
        assert_eq!(list.take().len(), 1);
        assert!(list.take().is_empty());
    }
}
