//! The names by which scripts know their exchanges.

use std::cell::RefCell;
use std::rc::Rc;

/// Names an exchange to the script. An id is never used again in a runtime, so
/// a script that keeps an id too long cannot reach another exchange.
pub(crate) type ExchangeId = u64;

/// The exchanges that scripts of one runtime can name.
pub(crate) struct Exchanges<E>(RefCell<Table<E>>);

struct Table<E> {
    slots: Vec<Slot<E>>,
    free: Vec<u32>,
}

impl<E> Default for Exchanges<E> {
    fn default() -> Self {
        Self(RefCell::new(Table {
            slots: Vec::new(),
            free: Vec::new(),
        }))
    }
}

struct Slot<E> {
    /// The generation starts at 1, so that no exchange has the id 0.
    generation: u64,
    exchange: Option<Rc<E>>,
}

/// How many bits of an [`ExchangeId`] are the slot. The other bits, up to the
/// 53 bits that a JavaScript number holds, count the uses of the slot.
const SLOT_BITS: u32 = 22;
const MAX_GENERATION: u64 = (1 << (53 - SLOT_BITS)) - 1;

impl<E> Exchanges<E> {
    /// Gives an exchange a name. Returns `None` if there are more exchanges than ids.
    pub(crate) fn insert(&self, exchange: Rc<E>) -> Option<ExchangeId> {
        let mut table = self.0.borrow_mut();
        let slot = match table.free.pop() {
            Some(slot) => slot,
            None => {
                let slot = u32::try_from(table.slots.len()).ok()?;
                if slot >= 1 << SLOT_BITS {
                    return None;
                }
                table.slots.push(Slot {
                    generation: 1,
                    exchange: None,
                });
                slot
            }
        };
        let entry = &mut table.slots[slot as usize];
        entry.exchange = Some(exchange);
        Some(entry.generation << SLOT_BITS | u64::from(slot))
    }

    /// How many exchanges there are for which `is_counted` is true.
    pub(crate) fn count(&self, is_counted: impl Fn(&E) -> bool) -> usize {
        let table = self.0.borrow();
        let exchanges = table.slots.iter().filter_map(|slot| slot.exchange.as_ref());
        exchanges.filter(|exchange| is_counted(exchange)).count()
    }

    /// The exchange of this name, unless it was removed.
    pub(crate) fn get(&self, id: ExchangeId) -> Option<Rc<E>> {
        let table = self.0.borrow();
        let entry = table.slots.get((id & ((1 << SLOT_BITS) - 1)) as usize)?;
        if entry.generation != id >> SLOT_BITS {
            return None;
        }
        entry.exchange.clone()
    }

    /// Removes the exchange from the table.
    pub(crate) fn remove(&self, id: ExchangeId) -> Option<Rc<E>> {
        let slot = (id & ((1 << SLOT_BITS) - 1)) as u32;
        let mut table = self.0.borrow_mut();
        let entry = table.slots.get_mut(slot as usize)?;
        if entry.generation != id >> SLOT_BITS {
            return None;
        }
        let exchange = entry.exchange.take()?;
        // A slot that has used up its ids is not used again.
        if entry.generation < MAX_GENERATION {
            entry.generation += 1;
            table.free.push(slot);
        }
        Some(exchange)
    }
}
