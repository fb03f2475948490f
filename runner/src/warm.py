def _polycode():
    import atexit, gc, io, os, sys
    import bisect, collections, copy, functools, heapq, itertools, math, operator, random, re
    import string, time, typing

    encoding, errors, told = sys.stdin.encoding, sys.stdin.errors, sys.stderr.errors
    realpath, dirname = os.path.realpath, os.path.dirname
    main, module = sys.modules["__main__"], type(sys)

    # As `create_stdio` of Python's own `pylifecycle.c`.
    def stream(fd, mode, name, errors, by_line, unbuffered):
        raw = unbuffered and mode == "w"
        buffer = io.open(fd, mode + "b", 0 if raw else -1, None, None, None, False)
        (buffer if raw else buffer.raw).name = name
        text = io.TextIOWrapper(
            buffer, encoding, errors, "\n", by_line and not unbuffered, unbuffered
        )
        text.mode = mode
        return text

    def begin(argv, env, unbuffered):
        sys.stdin = sys.__stdin__ = stream(0, "r", "<stdin>", errors, False, unbuffered)
        sys.stdout = sys.__stdout__ = stream(1, "w", "<stdout>", errors, False, unbuffered)
        sys.stderr = sys.__stderr__ = stream(2, "w", "<stderr>", told, True, unbuffered)
        sys.orig_argv, sys.argv = argv, argv[-1:]
        sys.path.insert(0, dirname(realpath(argv[-1])))
        if dict(os.environ) != env:
            os.environ.clear()
            os.environ.update(env)
        # A new one, which the collector looks at: what goes with it is to hear of that.
        new = module("__main__")
        vars(new).update(vars(main))
        sys.modules["__main__"] = new
        del sys._polycode

    # What was here before the program is not taken apart after it, which would copy all of it, two
    # of five milliseconds. Nobody but this list's own self holds the list.
    own = ("__main__", "builtins", "sys")
    loaded = [(name, of) for name, of in sys.modules.items() if name not in own]
    kept = [main, loaded]
    kept.append(kept)

    def end():
        for name, of in loaded:
            if sys.modules.get(name) is of:
                del sys.modules[name]

    # The last thing that is done.
    atexit.register(end)
    sys._polycode = begin
    del main._polycode
    # What is here now is no rubbish: looking through it would copy it.
    gc.collect()
    gc.freeze()


_polycode()
