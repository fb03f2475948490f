//! Python as a library, found at run time: of its C interface what is old and stable, so that one
//! build goes with every version. See <https://docs.python.org/3/c-api/>.
#![expect(unsafe_code, reason = "functions of a library that is found at run time")]

use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    io,
    os::fd::IntoRawFd,
};

use rustix::fs::{Mode, OFlags};

/// Set before the interpreter starts: what `-E -s -B` sets.
const FLAGS: [&CStr; 3] =
    [c"Py_IgnoreEnvironmentFlag", c"Py_NoUserSiteDirectory", c"Py_DontWriteBytecodeFlag"];

/// An interpreter in this process, which has one thread.
pub(crate) struct Python {
    before_fork: extern "C" fn(),
    after_fork_parent: extern "C" fn(),
    after_fork_child: extern "C" fn(),
    run_string: extern "C" fn(*const c_char, *mut c_void) -> c_int,
    run_file: extern "C" fn(*mut libc::FILE, *const c_char, c_int, *mut c_void) -> c_int,
    finalize: extern "C" fn() -> c_int,
    /// Set where a program ended by an interrupt that nobody caught.
    interrupted: Option<*const c_int>,
}

impl Python {
    /// Loads the library `name` and starts its interpreter, which takes itself for `executable`.
    /// Fails where the library is not there, or is not of `version`.
    pub(crate) fn start(name: &str, executable: &str, version: &str) -> anyhow::Result<Self> {
        reset_signals();
        let library = CString::new(name)?;
        // SAFETY: the name ends in NUL; the library's own start is trusted as the machine's is.
        let library = unsafe { libc::dlopen(library.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
        anyhow::ensure!(!library.is_null(), "{name} is not there");
        let find = |symbol: &CStr| -> anyhow::Result<*mut c_void> {
            // SAFETY: the library stays loaded; the symbol ends in NUL.
            let found = unsafe { libc::dlsym(library, symbol.as_ptr()) };
            anyhow::ensure!(!found.is_null(), "{name} has no {}", symbol.to_string_lossy());
            Ok(found)
        };
        // SAFETY: each type below is that of the function in Python's documentation, which has been
        // the same in all versions that have it.
        unsafe {
            let its_version: extern "C" fn() -> *const c_char =
                std::mem::transmute(find(c"Py_GetVersion")?);
            let found = CStr::from_ptr(its_version()).to_string_lossy().into_owned();
            let same = found.split(' ').next() == Some(version);
            anyhow::ensure!(same, "{name} is of {found}, {executable} of {version}");
            for flag in FLAGS {
                *find(flag)?.cast::<c_int>() = 1;
            }
            let set_name: extern "C" fn(*const libc::wchar_t) =
                std::mem::transmute(find(c"Py_SetProgramName")?);
            let wide = executable.chars().chain(['\0']);
            let wide: Vec<libc::wchar_t> =
                wide.map(|c| u32::from(c).try_into()).collect::<Result<_, _>>()?;
            // The interpreter keeps the pointer.
            set_name(wide.leak().as_ptr());
            let python = Self {
                before_fork: std::mem::transmute::<*mut c_void, extern "C" fn()>(find(
                    c"PyOS_BeforeFork",
                )?),
                after_fork_parent: std::mem::transmute::<*mut c_void, extern "C" fn()>(find(
                    c"PyOS_AfterFork_Parent",
                )?),
                after_fork_child: std::mem::transmute::<*mut c_void, extern "C" fn()>(find(
                    c"PyOS_AfterFork_Child",
                )?),
                run_string: std::mem::transmute::<
                    *mut c_void,
                    extern "C" fn(*const c_char, *mut c_void) -> c_int,
                >(find(c"PyRun_SimpleStringFlags")?),
                run_file: std::mem::transmute::<
                    *mut c_void,
                    extern "C" fn(*mut libc::FILE, *const c_char, c_int, *mut c_void) -> c_int,
                >(find(c"PyRun_AnyFileExFlags")?),
                interrupted: find(c"_Py_UnhandledKeyboardInterrupt")
                    .ok()
                    .map(|flag| flag.cast_const().cast()),
                finalize: std::mem::transmute::<*mut c_void, extern "C" fn() -> c_int>(find(
                    c"Py_FinalizeEx",
                )?),
            };
            let start: extern "C" fn(c_int) = std::mem::transmute(find(c"Py_InitializeEx")?);
            // With Python's own handling of signals, as in a program.
            start(1);
            Ok(python)
        }
    }

    /// Executes `code`. Fails if that raises, and tells standard error what.
    pub(crate) fn execute(&self, code: &str) -> anyhow::Result<()> {
        let code = CString::new(code)?;
        let failed = (self.run_string)(code.as_ptr(), std::ptr::null_mut());
        anyhow::ensure!(failed == 0, "the interpreter could not be readied");
        Ok(())
    }

    /// Calls `fork`, as the interpreter wants to know of it.
    pub(crate) fn around_fork<T>(&self, fork: impl FnOnce() -> T) -> T {
        (self.before_fork)();
        let answer = fork();
        (self.after_fork_parent)();
        answer
    }

    /// In a copy of the process: executes `first`, then the file at `path` as `python3 <path>`
    /// does, and ends as that would.
    pub(crate) fn become_program(&self, first: &str, path: &str) -> io::Error {
        (self.after_fork_child)();
        let opened = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        let (file, name) = match (opened, CString::new(path)) {
            (Ok(file), Ok(name)) => (file.into_raw_fd(), name),
            (Err(why), _) => return why.into(),
            (_, Err(why)) => return why.into(),
        };
        if let Err(why) = self.execute(first) {
            return io::Error::other(why);
        }
        // SAFETY: the descriptor is this stream's alone from here on.
        let stream = unsafe { libc::fdopen(file, c"rb".as_ptr()) };
        let failed = (self.run_file)(stream, name.as_ptr(), 1, std::ptr::null_mut());
        // What Python's own `main` answers when the last of the output could not be written.
        let code = if (self.finalize)() < 0 { 120 } else { c_int::from(failed != 0) };
        // SAFETY: the flag is the library's, and of this type.
        if self.interrupted.is_some_and(|flag| unsafe { *flag } != 0) {
            // SAFETY: as Python's own `main` does: whoever waits is to see the signal.
            unsafe {
                libc::signal(libc::SIGINT, libc::SIG_DFL);
                libc::raise(libc::SIGINT);
            }
        }
        // SAFETY: ends the process, as the end of `main` would.
        unsafe { libc::exit(code) }
    }
}

/// Rust has handlers of its own for what a program is to die of, and a stack for them.
fn reset_signals() {
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: the default is no code of ours.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    let none =
        libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
    // SAFETY: no handler is left that would be on the other stack.
    unsafe { libc::sigaltstack(&raw const none, std::ptr::null_mut()) };
}
