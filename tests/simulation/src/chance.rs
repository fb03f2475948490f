//! Everything in a process that asks the system for random bytes (ids, the order of maps, the order
//! in which `select!` looks) asks here, so that a seed gives the same run again.

use std::cell::RefCell;

thread_local! {
    static DICE: RefCell<Option<fastrand::Rng>> = const { RefCell::new(None) };
}

/// From now on this thread's random bytes follow from `seed`.
pub fn seed(seed: u64) {
    DICE.with(|dice| *dice.borrow_mut() = Some(fastrand::Rng::with_seed(seed ^ 0x5eed)));
}

/// Fills `bytes` if this thread has a seed.
pub fn fill(bytes: &mut [u8]) -> bool {
    let filled = DICE.try_with(|dice| match &mut *dice.borrow_mut() {
        Some(dice) => {
            dice.fill(bytes);
            true
        }
        None => false,
    });
    filled.unwrap_or(false)
}

/// Takes the place of the C library's `getrandom`, which the standard library and the crate
/// `getrandom` call, in the program that names it.
#[macro_export]
macro_rules! seed_all_chance {
    () => {
        #[expect(unsafe_code, reason = "the one function by which all chance comes in")]
        mod entropy {
            #[unsafe(no_mangle)]
            unsafe extern "C" fn getrandom(to: *mut u8, length: usize, flags: u32) -> isize {
                // SAFETY: whoever calls it gives `length` bytes to be written, as the manual says.
                let bytes = unsafe {
                    std::ptr::write_bytes(to, 0, length);
                    std::slice::from_raw_parts_mut(to, length)
                };
                if $crate::chance::fill(bytes) {
                    return isize::try_from(length).unwrap_or(isize::MAX);
                }
                // SAFETY: the system call of the same name, with what it was given.
                let got = unsafe { libc::syscall(libc::SYS_getrandom, to, length, flags) };
                isize::try_from(got).unwrap_or(-1)
            }
        }
    };
}
